"""The public repositories' own model code, run from checkouts, under random weights.

SPIKEHALT_REPOSITORIES names a folder of checkouts, one a repository: `spikformer` (ZK-Zhou),
`Spikingformer`, `Spikingformer-CML`, `QKFormer` (zhouchenlin2096), `Spike-Driven-Transformer`,
`Spike-Driven-Transformer-V3` (BICLab) and `MaxFormer` (bic-L). Their old dependencies get
stand-ins: a multi-step LIF after their documents, and what only training uses. What a repository's
files fix is read from them.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
import yaml
from torch import Tensor, nn

from train.importing.convert import import_checkpoint

VARIABLE = "SPIKEHALT_REPOSITORIES"
FOLDER = Path(os.environ.get(VARIABLE) or "no-repositories")
IMAGES = 4


class MultiStepLIFNode(nn.Module):
    """SpikingJelly 0.0.0.0.12's neuron from reset membranes: decaying input, hard reset to 0."""

    def __init__(self, tau: float = 2.0, v_threshold: float = 1.0, **_: Any) -> None:
        super().__init__()
        self.tau, self.v_threshold = tau, v_threshold

    def forward(self, x: Tensor) -> Tensor:
        """Currents [T, ...] to spikes."""
        v, spikes = torch.zeros_like(x[0]), []
        for current in x:
            v = v + (current - v) / self.tau
            spikes.append((v >= self.v_threshold).to(x.dtype))
            v = v * (1 - spikes[-1])
        return torch.stack(spikes)


class _SeqToANNContainer(nn.Sequential):
    """Takes [T, B, ...] as one batch."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def _layer() -> ModuleType:
    module = ModuleType("layer")
    vars(module)["SeqToANNContainer"] = _SeqToANNContainer
    return module


def _modules() -> dict[str, ModuleType]:
    """Stand-ins by name."""
    contents: dict[str, dict[str, Any]] = {
        "spikingjelly.clock_driven": {"layer": _layer(), "surrogate": None},
        "spikingjelly.clock_driven.neuron": {
            "MultiStepLIFNode": MultiStepLIFNode, "MultiStepParametricLIFNode": None,
        },
        "timm": {},
        "timm.models": {"create_model": None},
        "timm.models.layers": {
            "to_2tuple": lambda x: (x, x), "DropPath": lambda rate: nn.Identity(),
            "trunc_normal_": nn.init.trunc_normal_,
        },
        "timm.models.registry": {"register_model": lambda function: function},
        "timm.models.vision_transformer": {"_cfg": dict, "PatchEmbed": None, "Block": None},
        "matplotlib": {}, "matplotlib.pyplot": {}, "torchvision": {"transforms": None},
        "einops": {}, "einops.layers": {}, "einops.layers.torch": {"Rearrange": None},
        "torchinfo": {"summary": None},
    }  # fmt: skip
    modules = {}
    for name, values in contents.items():
        modules[name] = ModuleType(name)
        vars(modules[name]).update(values)
    return modules


@contextmanager
def _stand_ins(folder: Path) -> Iterator[None]:
    """Their imports find the stand-ins and their own files; afterwards nothing is left of them."""
    with patch.dict(sys.modules, _modules()), patch.object(sys, "path", [str(folder), *sys.path]):
        yield


def load(path: str) -> ModuleType:
    """A model file of a checkout, as a module."""
    file = FOLDER / path
    folder = file.parent.parent if file.parent.name == "model" else file.parent
    spec = importlib.util.spec_from_file_location("published", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _stand_ins(folder):
        spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Case:
    """A variant, and the code that it stands for.

    Attributes:
        variant: its name.
        file: the model's file, below the folder of checkouts.
        build: the network at T timesteps, from the module and what its configuration says.
        config: its configuration file, if it has one.
        sizes: heights and widths that its code takes.
        timesteps: that it takes; none: its code fixes them.
        coarse: tensors whose products are formed beforehand here: they get few bits.
        alone: it takes one image at a time, since those of a batch would see each other.
    """

    variant: str
    file: str
    build: Callable[[Any, dict[str, Any], int], nn.Module]
    config: str = ""
    sizes: tuple[int, ...] = (32, 64)
    timesteps: tuple[int, ...] = (1, 2, 4)
    alone: bool = False
    coarse: str = "(?!)"

    def settings(self) -> dict[str, Any]:
        """The configuration file."""
        if not self.config:
            return {}
        loaded = yaml.safe_load((FOLDER / self.config).read_text())
        return {key.replace("-", "_"): value for key, value in loaded.items()}


def _by_config(name: str) -> Callable[[Any, dict[str, Any], int], nn.Module]:
    """Spikformer's and Spikingformer's scripts pass their networks so; two blocks are enough."""

    def build(module: Any, config: dict[str, Any], timesteps: int) -> nn.Module:
        network = getattr(module, name)(
            patch_size=config["patch_size"], embed_dims=config["dim"],
            num_heads=config["num_heads"], mlp_ratios=config["mlp_ratio"], in_channels=3,
            num_classes=config["num_classes"], depths=2, sr_ratios=1, T=timesteps,
        )  # fmt: skip
        assert isinstance(network, nn.Module)
        return network

    return build


def _by_default(name: str) -> Callable[[Any, dict[str, Any], int], nn.Module]:
    """Where the registered function itself names the sizes."""
    return lambda module, config, timesteps: getattr(module, name)()


def _sdt(module: Any, config: dict[str, Any], timesteps: int) -> nn.Module:
    """As its `train.py` does."""
    network = module.sdt(
        T=timesteps, num_heads=config["num_heads"], num_classes=config["num_classes"],
        pooling_stat=config["pooling_stat"], embed_dims=config["dim"],
        mlp_ratios=config["mlp_ratio"], in_channels=config.get("in_channels", 3), depths=2,
        dvs_mode=config["dataset"] in ["cifar10-dvs-tet", "cifar10-dvs"],
    )  # fmt: skip
    assert isinstance(network, nn.Module)
    return network


def _maxformer(module: Any, config: dict[str, Any], timesteps: int) -> nn.Module:
    """ImageNet's by name; CIFAR's and the event networks' as their `train.py` does."""
    if config.get("model", "").startswith("maxformer"):
        network = getattr(module, config["model"])(T=timesteps)
    elif config["model"] == "max_former" and "mlp_ratio" in config:
        network = module.max_former(
            T=timesteps, in_channels=3, num_classes=config["num_classes"],
            embed_dims=config["dim"], mlp_ratios=config["mlp_ratio"], depths=config["layer"],
        )  # fmt: skip
    else:
        network = module.max_former(
            T=timesteps, in_channels=2, num_classes=config["num_classes"],
            embed_dims=config["dim"], mlp_ratios=1.0, depths=2,
        )  # fmt: skip
    assert isinstance(network, nn.Module)
    return network


def _qkformer(module: Any, config: dict[str, Any], timesteps: int) -> nn.Module:
    """CIFAR's as its `train.py` does."""
    network = module.QKFormer(
        img_size_h=32, img_size_w=32, patch_size=4, embed_dims=config["dim"],
        num_heads=config["num_heads"], mlp_ratios=config["mlp_ratio"], in_channels=3,
        num_classes=config["num_classes"], depths=config["depths"], sr_ratios=1, T=timesteps,
    )  # fmt: skip
    assert isinstance(network, nn.Module)
    return network


def _by_name(name: str) -> Callable[[Any, dict[str, Any], int], nn.Module]:
    """Where a function of the module builds it."""
    return lambda module, config, timesteps: getattr(module, name)(T=timesteps)


def _espikeformer(dim: int) -> Callable[[Any, dict[str, Any], int], nn.Module]:
    """Two blocks of a large network, as its `main_finetune.py --kd` trains it, for 64 x 64 pixels.

    Its blocks with a linear layer first read T, B, C and N of one image, which no line sets.
    """

    def build(module: Any, config: dict[str, Any], timesteps: int) -> nn.Module:
        vars(module).update(T=1, B=1, C=dim, N=16)
        whole = getattr(module, f"spikformer12_{dim}")(kd=True)
        whole.block3 = whole.block3[:2]
        assert isinstance(whole, nn.Module)
        return whole

    return build


def _cases() -> Iterator[Case]:
    yield Case("spikformer-cifar", "spikformer/cifar10/model.py", _by_config("spikformer"),
               "spikformer/cifar10/cifar10.yml")  # fmt: skip
    yield Case("spikformer-imagenet", "spikformer/imagenet/model.py", _by_default("spikformer"),
               timesteps=(4,))  # fmt: skip
    yield Case("spikformer-dvs", "spikformer/cifar10dvs/model.py", _by_default("spikformer"),
               sizes=(128,))  # fmt: skip
    yield Case("spikformer-cml-cifar10", "Spikingformer-CML/cifar10/CML_Spikformer.py",
               _by_config("CML_Spikformer"), "Spikingformer-CML/cifar10/cifar10.yml",
               timesteps=(4,))  # fmt: skip
    build = _by_config("Spikingformer")
    for name, folder in (("spikingformer", "Spikingformer"),
                         ("spikingformer-cml", "Spikingformer-CML")):  # fmt: skip
        for data in ("cifar10", "cifar100", "imagenet"):
            yield Case(f"{name}-{data}", f"{folder}/{data}/model.py", build,
                       f"{folder}/{data}/{data}.yml")  # fmt: skip
        for data in ("cifar10-dvs", "dvs128-gesture"):
            yield Case(f"{name}-dvs", f"{folder}/{data}/model.py", _by_default("Spikingformer"),
                       sizes=(128,))  # fmt: skip
    sdt = "Spike-Driven-Transformer"
    for name, config, sizes in (
        ("sdt-imagenet", "imagenet/8_768_300E_t4", (32, 64)),
        ("sdt-imagenet", "imagenet/8_384_300E_t4", (32,)),
        ("sdt-cifar10", "cifar10/2_512_300E_t4", (32, 48)),
        ("sdt-cifar100", "cifar100/2_512_300E_t4", (32,)),
        ("sdt-cifar10-dvs", "cifar10-dvs/2_256_200E_t10_TET", (64,)),
        ("sdt-gesture", "gesture/2_256_200E_t16", (64, 128)),
    ):
        file, path = f"{sdt}/model/spikeformer.py", f"{sdt}/conf/{config}.yml"
        yield Case(name, file, _sdt, path, sizes)


def _staged_cases() -> Iterator[Case]:
    """Of networks with stages."""
    for name, timesteps in (("10_384_t4", 4), ("10_512_t1", 1), ("10_512_t4", 4), ("10_768_t1", 1),
                            ("10_768_t4", 4)):  # fmt: skip
        yield Case(f"maxformer-imagenet-t{timesteps}", "MaxFormer/imagenet/max_former.py",
                   _maxformer, f"MaxFormer/imagenet/conf/{name}.yml", (32, 96),
                   (timesteps,))  # fmt: skip
    for data in ("cifar10", "cifar100"):
        yield Case(f"maxformer-{data}", "MaxFormer/cifar10-100/max_former.py", _maxformer,
                   f"MaxFormer/cifar10-100/{data}.yaml")  # fmt: skip
    for data in ("cifar10dvs", "dvsgesture"):
        yield Case("maxformer-dvs", "MaxFormer/event/max_former.py", _maxformer,
                   f"MaxFormer/event/{data}.yaml", sizes=(64, 128))  # fmt: skip
    for dim in (384, 512, 768):
        yield Case("qkformer-imagenet", "QKFormer/imagenet/qkformer.py",
                   _by_name(f"QKFormer_10_{dim}"), sizes=(32, 96), timesteps=(1, 4),
                   alone=True)  # fmt: skip
    for name, dim in (("83m", 512), ("171m", 768)):
        file = "Spike-Driven-Transformer-V3/SDT_V3/Classification/Model_Large/spikformer.py"
        yield Case(f"espikeformer-{name}", file, _espikeformer(dim), sizes=(64,), timesteps=(1,),
                   alone=True, coarse=r"(_conv\.0|rep_conv|layer_scale)")  # fmt: skip
    for data in ("cifar10", "cifar100"):
        yield Case("qkformer-cifar", f"QKFormer/{data}/model.py", _qkformer,
                   f"QKFormer/{data}/{data}.yml", alone=True)  # fmt: skip
    for data in ("cifar10-dvs", "dvs128-gesture"):
        yield Case("qkformer-dvs", f"QKFormer/{data}/model.py", _by_name("QKFormer"),
                   sizes=(64, 128), timesteps=(4,), alone=True)  # fmt: skip


CASES = (*_cases(), *_staged_cases())


def disturbed(network: nn.Module, seed: int, coarse: str = "(?!)") -> nn.Module:
    """Random dyadic weights and statistics: neurons fire, and sums are exact in any order."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if not value.is_floating_point():
                continue
            drawn = torch.randn(value.shape, generator=generator)
            if name.endswith("running_var"):
                value.copy_(4.0 ** drawn.round().clamp(-1, 1) - 1e-5)
                continue
            fan_in = value[0].numel() if value.ndim > 1 else 16
            offset = 0.75 if value.ndim == 1 and not name.endswith("running_mean") else 0.0
            parts = 8 if re.search(coarse, name) else 64
            value.copy_(((drawn * 3 / fan_in**0.5 + offset) * parts).round() / parts)
    return network.eval()


def compare(case: Case, timesteps: int, size: int) -> tuple[int, int]:
    """Images whose logits are equal in their code and ours, and images compared.

    Equal: to 1e-5 of the largest logit, since the head's products may be summed in another order.
    """
    theirs = disturbed(case.build(load(case.file), case.settings(), timesteps), size, case.coarse)
    changes: dict[str, Any] = {
        "timesteps": timesteps, "image_size": (size, size), "pixel_mean": (0.5,),
        "pixel_std": (128 / 255,),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "published.pth"
        torch.save(theirs.state_dict(), path)
        checkpoint = import_checkpoint(path, case.variant, changes)
    ours, inputs = checkpoint.network(), _inputs(checkpoint.model, size)
    frames = checkpoint.model.input == "frames"
    with torch.no_grad():
        found = ours(inputs).logits[-1]
        taken = inputs.float() if frames else ours._sequence(inputs)[0]
        expected = torch.cat(
            [_logits(theirs(part)) for part in taken.split(1 if case.alone else IMAGES)]
        )
    assert found.std(0).max() > 0.01, "the images look all alike to the network"
    apart = (found - expected).abs().amax(1) / expected.abs().max()
    return int((apart <= 1e-5).sum()), len(inputs)


def _logits(given: Any) -> Tensor:
    logits = given[0] if isinstance(given, tuple) else given
    assert isinstance(logits, Tensor)
    return logits


def _inputs(model: Any, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(size + 1)
    if model.input == "frames":
        shape = (IMAGES, model.timesteps, model.channels, size, size)
        return torch.randint(0, 4, shape, generator=generator).float()
    shape = (IMAGES, model.channels, size, size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
