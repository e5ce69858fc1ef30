from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from spikingjelly.activation_based import functional
from spikingjelly.activation_based.model.spike_driven_transformer import SpikeDrivenTransformer
from spikingjelly.activation_based.model.spikformer import Spikformer
from torch import Tensor, nn

from tests.train.importing.foreign import REPOSITORIES, Network, Repository, Weights, state_dict
from tests.train.samples import random_images
from train.config import ModelConfig, StemConfig
from train.errors import CheckpointError
from train.importing import find_format, import_checkpoint

DEPTH, DIM, HEADS, CLASSES, POOLS = 2, 32, 4, 5, "0011"


def model(arch: str, **changes: object) -> ModelConfig:
    config = ModelConfig(
        arch=arch,  # type: ignore[arg-type]
        depth=DEPTH,
        dim=DIM,
        heads=HEADS,
        classes=CLASSES,
        image_size=(16, 16),
        stem=StemConfig(kind="sps", pool=tuple(p == "1" for p in POOLS)),  # type: ignore[arg-type]
        pixel_std=(128 / 255,),
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def foreign_weights(repo: Repository) -> Weights:
    return state_dict(repo, DEPTH, DIM, HEADS, CLASSES, seed=3)


def stored(weights: object, folder: Path) -> Path:
    path = folder / "foreign.pth"
    torch.save(weights, path)
    return path


@pytest.mark.parametrize("repo", REPOSITORIES, ids=lambda repo: repo.name)
def test_logits_are_those_of_the_repositorys_network(repo: Repository, tmp_path: Path) -> None:
    weights = foreign_weights(repo)
    checkpoint = import_checkpoint(stored(weights, tmp_path), model(repo.arch))
    ours = checkpoint.network()
    images = random_images(checkpoint.model, 4)
    with torch.no_grad():
        logits = ours(images).logits[-1]
    theirs = Network(repo, weights, HEADS, POOLS, checkpoint.model.timesteps)
    torch.testing.assert_close(logits, theirs(ours._sequence(images)[0]), rtol=1e-5, atol=1e-5)
    assert logits.std(0).min() > 0.01
    assert (checkpoint.phase, checkpoint.classes) == ("imported", tuple("01234"))


def disturbed(network: nn.Module, seed: int) -> nn.Module:
    """Random dyadic weights and statistics, so that neurons fire and sums are exact."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("running_var"):
                value.fill_(1 - 1e-5)
            elif value.is_floating_point():
                fan_in = value[0].numel() if value.ndim > 1 else 16
                offset = 0.75 if value.ndim == 1 and not name.endswith("running_mean") else 0.0
                drawn = torch.randn(value.shape, generator=generator) * 3 / fan_in**0.5
                value.copy_(((drawn + offset) * 64).round() / 64)
    return network.eval()


def spikformer() -> nn.Module:
    return Spikformer(
        img_size_h=16, img_size_w=16, patch_size=4, num_classes=CLASSES, embed_dims=DIM,
        num_heads=HEADS, depths=DEPTH,
    )  # fmt: skip


def spike_driven_transformer() -> nn.Module:
    return SpikeDrivenTransformer(
        num_classes=CLASSES, embed_dims=DIM, num_heads=HEADS, depths=DEPTH, pooling_stat=POOLS
    )


@pytest.mark.parametrize(
    ("arch", "build"), [("spikformer", spikformer), ("sdt", spike_driven_transformer)]
)
def test_logits_are_those_of_spikingjellys_own_model(
    arch: str, build: Callable[[], nn.Module], tmp_path: Path
) -> None:
    theirs = disturbed(build(), seed=5)
    checkpoint = import_checkpoint(stored(theirs.state_dict(), tmp_path), model(arch))
    ours = checkpoint.network()
    images = random_images(checkpoint.model, 4)
    functional.reset_net(theirs)
    with torch.no_grad():
        logits = ours(images).logits[-1]
        peer: Tensor = theirs(ours._sequence(images)[0])
    peer = peer.mean(0) if peer.ndim == 3 else peer
    torch.testing.assert_close(logits, peer, rtol=1e-5, atol=1e-5)
    assert logits.std(0).min() > 0.01


@pytest.mark.parametrize("repo", REPOSITORIES, ids=lambda repo: repo.name)
def test_each_repository_is_recognised_by_its_names(repo: Repository) -> None:
    assert find_format(foreign_weights(repo)).name == repo.name.split("-")[0]


def test_the_wrapping_of_training_scripts_is_taken_off(tmp_path: Path) -> None:
    weights = foreign_weights(REPOSITORIES[0])
    wrapped = {
        "epoch": 3,
        "arch": "spikformer",
        "args": argparse.Namespace(lr=0.1),
        "state_dict": {f"module.{key}": value for key, value in weights.items()},
    }
    plain = import_checkpoint(stored(weights, tmp_path), model("spikformer"))
    unwrapped = import_checkpoint(stored(wrapped, tmp_path), model("spikformer"))
    assert all(torch.equal(plain.weights[key], unwrapped.weights[key]) for key in plain.weights)


def test_imported_networks_are_static_and_iterate_their_stem(tmp_path: Path) -> None:
    path = stored(foreign_weights(REPOSITORIES[0]), tmp_path)
    asked = model("spikformer", merge_gamma=3, stem=StemConfig(kind="isps"))
    config = import_checkpoint(path, asked).model
    assert (config.stem.kind, config.halting.mode, config.merge_gamma) == ("sps", "none", 0)


def without(key: str) -> Callable[[Weights], Weights]:
    return lambda weights: {name: value for name, value in weights.items() if name != key}


def having(key: str, value: Tensor) -> Callable[[Weights], Weights]:
    return lambda weights: {**weights, key: value}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            without("block.1.attn.q_bn.running_var"),
            "lacks the tensor 'block.1.attn.q_bn.running_var'",
        ),
        (without("head.bias"), "lacks the tensor 'head.bias'"),
        (having("head.weight", torch.zeros(7, DIM)), r"head.weight has shape \(7, 32\).*--classes"),
        (
            having("block.0.attn.q_linear.weight", torch.full((DIM, DIM), float("nan"))),
            "'block.0.attn.q_linear.weight' holds NaN",
        ),
        (
            having(
                "block.0.attn.q_linear.weight", torch.full((DIM, DIM), 1e300, dtype=torch.float64)
            ),
            "'block.0.attn.q_linear.weight' holds NaN or infinity",
        ),
        (
            having("block.0.attn.q_linear.weight", torch.ones(DIM, DIM, dtype=torch.complex64)),
            "'block.0.attn.q_linear.weight' is complex64, not float32 or float16",
        ),
        (
            having("block.1.attn.q_bn.running_var", torch.full((DIM,), -1.0)),
            "'block.1.attn.q_bn.running_var' holds a negative variance",
        ),
        (having("block.0.attn.q_lif.w", torch.zeros(())), "no place for block.0.attn.q_lif.w"),
        (having("extra", torch.zeros(3)), "no place for extra"),
        (
            having("block.0.mlp.fc1_linear.weight", torch.zeros(4 * DIM, DIM, 3, 3)),
            "is no 1 x 1 convolution",
        ),
    ],
)
def test_a_tensor_that_cannot_be_placed_is_refused(
    change: Callable[[Weights], Weights], message: str, tmp_path: Path
) -> None:
    path = stored(change(foreign_weights(REPOSITORIES[0])), tmp_path)
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(path, model("spikformer"))


def test_another_depth_or_architecture_is_refused(tmp_path: Path) -> None:
    path = stored(foreign_weights(REPOSITORIES[0]), tmp_path)
    with pytest.raises(CheckpointError, match="file holds 2 blocks, the model has 3; pass --depth"):
        import_checkpoint(path, model("spikformer", depth=3))
    with pytest.raises(CheckpointError, match="of architecture 'spikformer'; got 'spikingformer'"):
        import_checkpoint(path, model("spikingformer"))


def test_unknown_names_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="follow none of the known repositories: spikformer,"):
        import_checkpoint(stored({"a.weight": torch.zeros(2)}, tmp_path), model("sdt"))
    with pytest.raises(CheckpointError, match="holds no state dict: epoch are not tensors"):
        import_checkpoint(stored({"epoch": 3}, tmp_path), model("sdt"))
    with pytest.raises(CheckpointError, match="holds no state dict"):
        import_checkpoint(stored([1, 2], tmp_path), model("sdt"))
    with pytest.raises(CheckpointError, match=r"nothing\.pth does not exist"):
        import_checkpoint(tmp_path / "nothing.pth", model("sdt"))
    (tmp_path / "half.pth").write_bytes(b"PK\x03\x04")
    with pytest.raises(CheckpointError, match="truncated or not a checkpoint"):
        import_checkpoint(tmp_path / "half.pth", model("sdt"))


def test_a_whole_pickled_model_is_refused_since_it_could_run_code(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"could run code .* Save its state_dict alone"):
        import_checkpoint(stored({"state_dict": nn.Linear(2, 2)}, tmp_path), model("sdt"))


def test_class_names_must_be_as_many_as_classes(tmp_path: Path) -> None:
    path = stored(foreign_weights(REPOSITORIES[0]), tmp_path)
    assert import_checkpoint(path, model("spikformer"), tuple("vwxyz")).classes == tuple("vwxyz")
    with pytest.raises(CheckpointError, match="2 class names for 5 classes"):
        import_checkpoint(path, model("spikformer"), ("a", "b"))
