from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from spikingjelly.activation_based import functional
from spikingjelly.activation_based.model.maxformer import MaxFormer
from spikingjelly.activation_based.model.qkformer import QKFormer
from spikingjelly.activation_based.model.spike_driven_transformer import SpikeDrivenTransformer
from spikingjelly.activation_based.model.spikformer import Spikformer
from torch import Tensor, nn

from spikehalt.errors import ConfigError
from tests.train.importing.foreign import REPOSITORIES, Network, Repository, Weights, state_dict
from tests.train.samples import random_images
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.errors import CheckpointError
from train.importing.convert import import_checkpoint
from train.importing.formats import find_format

DEPTH, DIM, HEADS, CLASSES, POOLS = 2, 32, 4, 5, "0011"
CHANGES: dict[str, Any] = {
    "heads": HEADS, "image_size": (16, 16), "pixel_mean": (0.5,), "pixel_std": (128 / 255,),
    "stem.pool": tuple(p == "1" for p in POOLS), "input": "image", "timesteps": 4,
}  # fmt: skip


def imported(path: Path, published: str | None, **changes: Any) -> Checkpoint:
    return import_checkpoint(path, published, {**CHANGES, **changes})


def foreign_weights(repo: Repository) -> Weights:
    return state_dict(repo, DEPTH, DIM, HEADS, CLASSES, seed=3)


def stored(weights: object, folder: Path) -> Path:
    path = folder / "foreign.pth"
    torch.save(weights, path)
    return path


@pytest.mark.parametrize("repo", REPOSITORIES, ids=lambda repo: repo.variant)
def test_logits_are_those_of_the_repositorys_network(repo: Repository, tmp_path: Path) -> None:
    weights = foreign_weights(repo)
    checkpoint = imported(stored(weights, tmp_path), repo.variant)
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


def maxformer() -> nn.Module:
    return MaxFormer(
        num_classes=CLASSES, embed_dims=DIM, depths=(1, 1, DEPTH), cifar=True, mlp_ratio=2.0
    )


def qkformer() -> nn.Module:
    return QKFormer(
        num_classes=CLASSES, embed_dims=DIM, num_heads=(HEADS,) * 3, depths=(1, 2, DEPTH),
        mlp_ratio=2.0,
    )  # fmt: skip


@pytest.mark.parametrize("build", [spikformer, spike_driven_transformer, maxformer, qkformer])
def test_logits_are_those_of_spikingjellys_own_model(
    build: Callable[[], nn.Module], tmp_path: Path
) -> None:
    theirs = disturbed(build(), seed=5)
    heads = 8 if build is maxformer else HEADS
    checkpoint = imported(stored(theirs.state_dict(), tmp_path), None, heads=heads)
    ours = checkpoint.network()
    images = random_images(checkpoint.model, 4)
    functional.reset_net(theirs)
    with torch.no_grad():
        logits = ours(images).logits[-1]
        peer: Tensor = theirs(ours._sequence(images)[0])
    peer = peer.mean(0) if peer.ndim == 3 else peer
    torch.testing.assert_close(logits, peer, rtol=1e-5, atol=1e-5)
    assert logits.std(0).min() > 0.01


@pytest.mark.parametrize("repo", REPOSITORIES, ids=lambda repo: repo.variant)
def test_each_repository_is_recognised_by_its_names(repo: Repository) -> None:
    assert find_format(foreign_weights(repo)).name == repo.naming


def test_the_wrapping_of_training_scripts_is_taken_off(tmp_path: Path) -> None:
    weights = foreign_weights(REPOSITORIES[0])
    wrapped = {
        "epoch": 3,
        "arch": "spikformer",
        "args": argparse.Namespace(lr=0.1),
        "state_dict": {f"module.{key}": value for key, value in weights.items()},
    }
    plain = imported(stored(weights, tmp_path), None)
    unwrapped = imported(stored(wrapped, tmp_path), None)
    assert all(torch.equal(plain.weights[key], unwrapped.weights[key]) for key in plain.weights)


def test_names_that_several_published_networks_have_leave_the_choice_to_the_user(
    tmp_path: Path,
) -> None:
    path = stored(foreign_weights(REPOSITORIES[4]), tmp_path)
    with pytest.raises(CheckpointError) as raised:
        imported(path, None)
    message = str(raised.value)
    assert message.startswith("4 published networks have these tensors' names and differ")
    for choice in ("spikingformer-imagenet", "spikingformer-cml-imagenet", "cml-cifar100 "):
        assert choice in message  # those of event frames have other channels
    assert "before_lif" in message and "8 heads of width 768" in message


@pytest.mark.parametrize(
    ("published", "position"),
    [("spikingformer-imagenet", "after_lif"), ("spikingformer-cml-imagenet", "before_lif")],
)
def test_equal_names_give_the_network_that_was_asked_for(
    published: str, position: str, tmp_path: Path
) -> None:
    path = stored(foreign_weights(REPOSITORIES[4]), tmp_path)
    checkpoint = imported(path, published)
    assert checkpoint.model.stem.pool_position == position
    assert checkpoint.preprocessing.interpolation == "bicubic"


def test_what_the_user_sets_counts_and_everything_is_recorded(tmp_path: Path) -> None:
    path = stored(foreign_weights(REPOSITORIES[4]), tmp_path)
    position = {"stem.pool_position": "before_lif", "lif.tau": 1.5}
    checkpoint = imported(path, "spikingformer-imagenet", **position)
    assert checkpoint.model.stem.pool_position == "before_lif" and checkpoint.model.lif.tau == 1.5
    save_checkpoint(tmp_path / "ours.pt", checkpoint)
    origin = load_checkpoint(tmp_path / "ours.pt").origin
    assert origin is not None and origin == checkpoint.origin
    assert (origin.variant, origin.reason) == ("spikingformer-imagenet", "asked for")
    assert origin.changed["stem.pool_position"] == "before_lif" and origin.changed["heads"] == HEADS
    assert origin.fixed["attention_scale"] == 0.125 and "lif.tau" not in origin.fixed


def test_heads_that_no_configuration_tells_are_asked_for(tmp_path: Path) -> None:
    path = stored(foreign_weights(REPOSITORIES[0]), tmp_path)
    with pytest.raises(CheckpointError, match=r"no network of width 32 \(known: 12 for .*--heads"):
        import_checkpoint(path)


def test_safetensors_are_read_and_damaged_ones_refused(tmp_path: Path) -> None:
    weights = foreign_weights(REPOSITORIES[0])
    path = tmp_path / "published.safetensors"
    save_file(weights, path)
    plain = imported(stored(weights, tmp_path), None)
    same = imported(path, None)
    assert all(torch.equal(plain.weights[key], same.weights[key]) for key in plain.weights)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"published\.safetensors is truncated or not"):
        imported(path, None)


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
        (having("head.bias", torch.zeros(7)), r"head.bias has shape \(7,\).*--classes"),
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
        imported(path, "spikformer-cifar")


def test_another_depth_or_architecture_is_refused(tmp_path: Path) -> None:
    path = stored(foreign_weights(REPOSITORIES[0]), tmp_path)
    with pytest.raises(CheckpointError, match="file holds 2 blocks, the model has 3; pass --depth"):
        imported(path, None, depth=3)
    with pytest.raises(CheckpointError, match="of spikformer-linear; those of sdt-cifar10 are"):
        imported(path, "sdt-cifar10")
    with pytest.raises(ConfigError, match="unknown published network 'spikingformer-cml'; did you"):
        imported(path, "spikingformer-cml")


def test_unknown_names_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="follow none of the known repositories: spikformer-"):
        imported(stored({"a.weight": torch.zeros(2)}, tmp_path), None)
    with pytest.raises(CheckpointError, match="holds no state dict: epoch are not tensors"):
        imported(stored({"epoch": 3}, tmp_path), None)
    with pytest.raises(CheckpointError, match="holds no state dict"):
        imported(stored([1, 2], tmp_path), None)
    with pytest.raises(CheckpointError, match=r"nothing\.pth does not exist"):
        imported(tmp_path / "nothing.pth", None)
    (tmp_path / "half.pth").write_bytes(b"PK\x03\x04")
    with pytest.raises(CheckpointError, match="truncated or not a checkpoint"):
        imported(tmp_path / "half.pth", None)


def test_a_whole_pickled_model_is_refused_since_it_could_run_code(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"could run code .* Save its state_dict alone"):
        imported(stored({"state_dict": nn.Linear(2, 2)}, tmp_path), None)


def test_class_names_must_be_as_many_as_classes(tmp_path: Path) -> None:
    path = stored(foreign_weights(REPOSITORIES[0]), tmp_path)
    names = import_checkpoint(path, None, CHANGES, tuple("vwxyz")).classes
    assert names == tuple("vwxyz")
    with pytest.raises(CheckpointError, match="2 class names for 5 classes"):
        import_checkpoint(path, None, CHANGES, ("a", "b"))
