"""The published networks by name: what a repository's code fixes and its tensors do not tell.

Neurons, pools and heads leave no trace in a state dict, and repositories with equal keys differ in
them. A variant states them as its repository's code does. Heads go by embedding width, for the
widths that its configurations or logs name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.errors import ConfigError
from spikehalt.strict import unknown_name
from train.errors import CheckpointError
from train.importing.formats import Format

Fields = dict[str, Any]

_CIFAR: Fields = {
    "image_size": (32, 32), "timesteps": 4, "stem.pool": (False, False, True, True),
    "pixel_mean": (0.4914, 0.4822, 0.4465), "pixel_std": (0.2470, 0.2435, 0.2616),
}  # fmt: skip
_CIFAR100: Fields = {  # SDT's and Max-Former's; Spikingformer normalises as for CIFAR-10
    "pixel_mean": (0.5071, 0.4867, 0.4408), "pixel_std": (0.2675, 0.2565, 0.2761),
}  # fmt: skip
_IMAGENET: Fields = {
    "image_size": (224, 224), "timesteps": 4, "stem.pool": (True, True, True, True),
    "pixel_mean": (0.485, 0.456, 0.406), "pixel_std": (0.229, 0.224, 0.225),
}  # fmt: skip
_EVENTS: Fields = {
    "input": "frames", "image_size": (128, 128), "timesteps": 16,
    "stem.pool": (True, True, True, True),
}  # fmt: skip

# timm's evaluation: the shorter side is scaled to size / crop_pct, the middle is cut out.
_BICUBIC = Preprocessing(fit="resize_crop", interpolation="bicubic", orientation="stored")
_BICUBIC_95 = replace(_BICUBIC, crop_share=0.95)
_BICUBIC_232 = replace(_BICUBIC, crop_share=224 / 232)
_BICUBIC_256 = replace(_BICUBIC, crop_share=0.875)


@dataclass(frozen=True)
class Variant:
    """One published network.

    Attributes:
        name: as `--from` takes it.
        repository: where its code is.
        naming: the `Format` that its keys follow.
        fixed: fields of `ModelConfig` that its code fixes, by dotted name.
        heads: attention heads by embedding width, for the widths that it has configurations of.
        channels: of its input.
        preprocessing: how its evaluation resizes image files.
        caution: in what the imported network deliberately differs from its code; empty: nothing.
    """

    name: str
    repository: str
    naming: str
    fixed: Fields
    heads: Mapping[int, int] = field(default_factory=dict)
    channels: int = 3
    preprocessing: Preprocessing = _BICUBIC
    caution: str = ""

    def describe(self, names: Iterable[str]) -> str:
        """Its repository, heads, and those of the fields `names` that it fixes."""
        parts = [f"{name} {self.fixed[name]}" for name in names if name in self.fixed]
        heads = [f"{heads} heads of width {dim}" for dim, heads in self.heads.items()]
        return f"{self.name} ({self.repository}: {', '.join([*parts, *heads])})"


def _fields(arch: str, inputs: Fields, changes: Fields | None = None) -> Fields:
    """Fields of a network whose stem iterates and pools spikes."""
    common: Fields = {
        "arch": arch, "stem.kind": "sps", "stem.pool_position": "after_lif",
        "attention_scale": 0.125, "lif.tau": 2.0, "lif.threshold": 1.0,
        "lif.attention_threshold": 0.5, "lif.v_reset": 0.0,
    }  # fmt: skip
    return {**common, **inputs, **(changes or {})}


_SPIKFORMER = "github.com/ZK-Zhou/spikformer"
_SPIKINGFORMER = "github.com/zhouchenlin2096/Spikingformer"
_CML = "github.com/zhouchenlin2096/Spikingformer-CML"
_SDT = "github.com/BICLab/Spike-Driven-Transformer"
_MAXFORMER = "github.com/bic-L/MaxFormer"
_SDT3 = "github.com/BICLab/Spike-Driven-Transformer-V3"
_QKFORMER = "github.com/zhouchenlin2096/QKFormer"
_SPIKINGJELLY = "spikingjelly.activation_based.model"


_HEADS = (
    "its first stage has fewer heads than the others unless told otherwise; here all have --heads"
)
_LEAK = (
    "its code runs the last stage's projection neurons from image to image of a batch, and the "
    "weights were trained so; here images do not see each other, which costs accuracy (the "
    "repository's issue 14: 78.7 to 74.2 %). --recalibrate FOLDER takes BatchNorm statistics of "
    "your images"
)


def _spikformers() -> Iterator[Variant]:
    arch = "spikformer"
    fields = _fields(arch, _CIFAR)
    yield Variant("spikformer-cifar", _SPIKFORMER, "spikformer-linear", fields, {384: 12})
    fields = _fields(arch, _CIFAR, {"stem.pool_position": "before_lif"})
    yield Variant("spikformer-cml-cifar10", _CML, "spikformer-cml", fields, {384: 12})
    fields = _fields(arch, _IMAGENET)
    yield Variant("spikformer-imagenet", _SPIKFORMER, "spikformer-conv", fields, {512: 8})
    fields = _fields(arch, _EVENTS, {"attention_scale": 0.25})
    yield Variant("spikformer-dvs", _SPIKFORMER, "spikformer-position", fields, {256: 16}, 2)
    fields = _fields(arch, {}, {"stem.pool_position": "before_lif"})
    yield Variant("spikingjelly-spikformer", _SPIKINGJELLY, "spikingjelly-spikformer", fields)


def _spikingformers() -> Iterator[Variant]:
    """Both repositories' networks; CML pools before the neuron, under the same names."""
    for name, repository, cifar, position, tau in (
        ("spikingformer", _SPIKINGFORMER, "spikingformer-block", "after_lif", 1.5),
        ("spikingformer-cml", _CML, "spikingformer-proj", "before_lif", 1.75),
    ):
        pool: Fields = {"stem.pool_position": position}
        fields = _fields("spikingformer", _CIFAR, pool)
        yield Variant(f"{name}-cifar10", repository, cifar, fields, {384: 12})
        yield Variant(f"{name}-cifar100", repository, cifar, fields, {384: 8})
        fields, naming = _fields("spikingformer", _IMAGENET, pool), "spikingformer-proj"
        yield Variant(f"{name}-imagenet", repository, naming, fields, {512: 8, 768: 8})
        fields = _fields("spikingformer", _EVENTS, {**pool, "lif.tau": tau})
        yield Variant(f"{name}-dvs", repository, naming, fields, {256: 16}, 2)


def _sdts() -> Iterator[Variant]:
    """Their masks do not depend on heads; one of the event networks is in DVS mode."""
    arch, common = "sdt", {"head_lif": True, "heads": 8}
    fields = _fields(arch, _IMAGENET, common)
    yield Variant("sdt-imagenet", _SDT, "sdt", fields, preprocessing=_BICUBIC_95)
    yield Variant("sdt-cifar10", _SDT, "sdt", _fields(arch, _CIFAR, common))
    cifar100 = _fields(arch, {**_CIFAR, **_CIFAR100}, common)
    yield Variant("sdt-cifar100", _SDT, "sdt", cifar100)
    pool: Fields = {"stem.pool": (False, False, True, True), "image_size": (64, 64)}
    frames = {**common, **pool, "timesteps": 10, "spread_attention": True}
    yield Variant("sdt-cifar10-dvs", _SDT, "sdt", _fields(arch, _EVENTS, frames), channels=2)
    frames = {**common, "stem.pool": (False, True, True, True), "spread_attention": False}
    yield Variant("sdt-gesture", _SDT, "sdt", _fields(arch, _EVENTS, frames), channels=2)
    yield Variant("spikingjelly-sdt", _SPIKINGJELLY, "spikingjelly-sdt", _fields(arch, {}, common))


def _maxformers() -> Iterator[Variant]:
    """Heads are those of the last stage; ImageNet's files are of one timestep or of four."""
    heads = {384: 6, 512: 8, 768: 12}
    for timesteps in (1, 4):
        fields = _maxformer("imagenet", {**_IMAGENET, "timesteps": timesteps})
        name = f"maxformer-imagenet-t{timesteps}"
        yield Variant(
            name, _MAXFORMER, "maxformer-imagenet", fields, heads, preprocessing=_BICUBIC_256
        )
    for name, inputs in (
        ("maxformer-cifar10", _CIFAR),
        ("maxformer-cifar100", {**_CIFAR, **_CIFAR100}),
    ):
        fields = _maxformer("cifar", inputs)
        yield Variant(name, _MAXFORMER, "maxformer-cifar", fields, {384: 8})
    fields = _maxformer("cifar", {"heads": 8})
    yield Variant("spikingjelly-maxformer", _SPIKINGJELLY, "spikingjelly-maxformer", fields)
    fields = _maxformer("events", _EVENTS)
    yield Variant("maxformer-dvs", _MAXFORMER, "maxformer-events", fields, {256: 16}, 2)


def _maxformer(form: str, inputs: Fields) -> Fields:
    return _stages("maxformer", form, {**inputs, "head_lif": True})


def _qkformers() -> Iterator[Variant]:
    """All stages have as many heads; the networks fit any image size."""
    heads = {384: 6, 512: 8, 768: 12}
    fields = _stages("qkformer", "imagenet", _IMAGENET)
    yield Variant(
        "qkformer-imagenet", _QKFORMER, "qkformer-imagenet", fields, heads, caution=_LEAK,
        preprocessing=_BICUBIC_256,
    )  # fmt: skip
    fields = _stages("qkformer", "cifar", {**_CIFAR, "heads": 8})
    yield Variant("qkformer-cifar", _QKFORMER, "qkformer-cifar", fields, caution=_LEAK)
    fields = _stages("qkformer", "events", _EVENTS)
    yield Variant("qkformer-dvs", _QKFORMER, "qkformer-events", fields, {256: 16}, 2, caution=_LEAK)
    naming, fields = "spikingjelly-qkformer", _stages("qkformer", "imagenet", {})
    yield Variant(naming, _SPIKINGJELLY, naming, fields, caution=_HEADS)


def _espikeformers() -> Iterator[Variant]:
    """Of four levels; files called 1x8 are of eight."""
    inputs = {**_IMAGENET, "timesteps": 1, "heads": 8, "lif.levels": 4}
    for name, naming in (("83m", "espikeformer-linear-first"), ("171m", "espikeformer")):
        fields = _stages("espikeformer", "imagenet", {**inputs, "linear_first": name == "83m"})
        fields = {k: v for k, v in fields.items() if not k.startswith("lif.") or k == "lif.levels"}
        yield Variant(
            f"espikeformer-{name}", _SDT3, naming, fields, preprocessing=_BICUBIC_232,
            caution="files called 1x8 have eight levels: --lif.levels 8",
        )  # fmt: skip


def _stages(arch: str, form: str, inputs: Fields) -> Fields:
    """Fields of a network whose form fixes the pools."""
    fields = _fields(arch, inputs, {"stem.form": form})
    return {name: value for name, value in fields.items() if not name.startswith("stem.pool")}


VARIANTS: dict[str, Variant] = {
    each.name: each
    for family in (
        _spikformers, _spikingformers, _sdts, _maxformers, _qkformers, _espikeformers,
    )
    for each in family()
}  # fmt: skip


def variant(name: str) -> Variant:
    """The published network `name`.

    Raises:
        ConfigError: no such name; the nearest one and the list are given.
    """
    if name in VARIANTS:
        return VARIANTS[name]
    raise ConfigError(unknown_name("published network", name, VARIANTS))


def choose_variant(naming: Format, channels: int) -> tuple[Variant, str]:
    """The only variant whose files have these keys and input channels, and why.

    Raises:
        CheckpointError: several do; they are listed with what they differ in.
    """
    alike = [each for each in VARIANTS.values() if each.naming == naming.name]
    fitting = [each for each in alike if each.channels == channels] or alike
    if len(fitting) == 1:
        return fitting[0], "no other has its tensors' names"
    names = dict.fromkeys(name for each in fitting for name in each.fixed)
    differing = [name for name in names if len({each.fixed.get(name) for each in fitting}) > 1]
    listed = "; ".join(each.describe(differing) for each in fitting)
    raise CheckpointError(
        f"{len(fitting)} published networks have these tensors' names and differ in what tensors "
        f"do not tell; say which one it is by --from: {listed}"
    )
