"""How other repositories name the layers of the networks that we have.

    spikformer-linear           ZK-Zhou/spikformer, CIFAR
    spikformer-conv             the same, ImageNet: convolutions
    spikformer-position         the same, CIFAR10-DVS: has a position embedding, never called
    spikformer-cml              zhouchenlin2096/Spikingformer-CML, CML_Spikformer.py
    spikingformer-block         zhouchenlin2096/Spikingformer, CIFAR
    spikingformer-proj          the same, otherwise; all of zhouchenlin2096/Spikingformer-CML
    sdt                         BICLab/Spike-Driven-Transformer
    spikingjelly-spikformer     spikingjelly.activation_based.model.spikformer
    spikingjelly-sdt            spikingjelly.activation_based.model.spike_driven_transformer
    spikingjelly-maxformer      spikingjelly.activation_based.model.maxformer, its CIFAR form
    maxformer-imagenet, maxformer-cifar, maxformer-events    bic-L/MaxFormer
    spikingjelly-qkformer       spikingjelly.activation_based.model.qkformer
    qkformer-imagenet, qkformer-cifar, qkformer-events       zhouchenlin2096/QKFormer
    espikeformer, espikeformer-linear-first    BICLab/Spike-Driven-Transformer-V3, Model_Large

A naming does not identify a network: see `train/importing/variants.py`.

A layer is a weight followed by a BatchNorm; several may stand side by side in one of ours: q, k, v.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from train.config import ModelConfig
from train.errors import CheckpointError
from train.importing import espikeformer
from train.importing.layers import Layer, numbered_mlp, separate_qkv, stem_layers
from train.importing.place import Source, plain_head
from train.importing.reparameterised import Tensors


@dataclass(frozen=True)
class Format:
    """A repository's naming.

    Attributes:
        name: as listed above.
        sign: a key that its files have.
        absent: a key that its files do not have, but those of a similar naming do.
        stem: our stem's layers in its names.
        block: the layers of block `i` in its names.
        blocks: prefix of its blocks, before the number.
        unused: keys that its code creates and never calls.
        prepared: brings its tensors into layers of ours.
        told: fields of `ModelConfig` that its tensors tell beside sizes.
        head: weight and bias of our head.
    """

    name: str
    sign: str
    absent: str
    stem: tuple[Layer, ...]
    block: Callable[[int], tuple[Layer, ...]]
    blocks: str
    unused: str = "(?!)"
    prepared: Callable[[Tensors], Tensors] = dict
    told: Callable[[Mapping[str, Tensor]], dict[str, Any]] = lambda tensors: {}
    head: Callable[[Source, ModelConfig], tuple[Tensor, Tensor]] = plain_head

    def depth(self, keys: Iterable[str]) -> int:
        """How many blocks a file holds."""
        numbers = re.compile(rf"{re.escape(self.blocks)}\.(\d+)\.")
        found = [int(match[1]) for match in map(numbers.match, keys) if match]
        return max(found, default=-1) + 1

    def layers(self, depth: int) -> list[Layer]:
        """Every layer of a network of `depth` blocks."""
        return [*self.stem, *(layer for index in range(depth) for layer in self.block(index))]


def _repository_stem(prefix: str) -> tuple[Layer, ...]:
    """Spikformer's and SDT's names: proj_conv, proj_conv1 …, rpe_conv."""
    pairs = [(f"{prefix}.proj_conv{n}", f"{prefix}.proj_bn{n}") for n in ("", "1", "2", "3")]
    return stem_layers([*pairs, (f"{prefix}.rpe_conv", f"{prefix}.rpe_bn")])


def _spikingformer_block(i: int) -> tuple[Layer, ...]:
    return separate_qkv(i, "conv", numbered_mlp("mlp", "conv"))


def _spikformer_block(linear: str) -> Callable[[int], tuple[Layer, ...]]:
    return lambda i: separate_qkv(i, linear, numbered_mlp("fc", linear))


def _spikingjelly_spikformer_block(i: int) -> tuple[Layer, ...]:
    def pair(theirs: str) -> tuple[tuple[str, str], ...]:
        return ((f"blocks.{i}.{theirs}.0", f"blocks.{i}.{theirs}.1"),)

    return (
        Layer(f"blocks.{i}.attention.qkv", pair("attn.qkv_conv_bn")),
        Layer(f"blocks.{i}.attention.proj", pair("attn.proj_conv_bn")),
        Layer(f"blocks.{i}.mlp.fc1", pair("mlp.fc1")),
        Layer(f"blocks.{i}.mlp.fc2", pair("mlp.fc2")),
    )


def _spikingjelly_sdt_block(i: int) -> tuple[Layer, ...]:
    mlp = tuple((f"fc{n}", f"bn{n}") for n in "12")
    return separate_qkv(i, "conv", mlp, "blocks")


def _maxformer_block(stage: str) -> Callable[[int], tuple[Layer, ...]]:
    return lambda i: separate_qkv(i, "conv", numbered_mlp("fc", "conv"), stage)


def _embeds(prefix: str, *names: str) -> list[tuple[str, str]]:
    """Max-Former's embeddings: a convolution and its BatchNorm, each in a module of its own."""
    return [(f"{prefix}.{n}.embed_conv", f"{prefix}.{n}.embed_bn") for n in names]


def _max_embeds(number: int) -> list[tuple[str, str]]:
    return _embeds(f"patch_embed{number}", "max_embed1", "embed1", "max_embed2")


def _mixed(stage: str, conv: str = "") -> list[tuple[str, str]]:
    """A block of its early stages: the depth-wise convolution `conv`, if any, and the MLP."""
    mixer = [(f"{stage}.mixer.{conv}", f"{stage}.mixer.{conv}_bn")] if conv else []
    return [*mixer, *((f"{stage}.mlp.{w}", f"{stage}.mlp.{bn}") for w, bn in _FC)]


_FC = numbered_mlp("fc", "conv")
_MAXFORMER_PROJ = ("patch_embed1.proj_conv", "patch_embed1.proj_bn")
_MAXFORMER_IMAGENET = stem_layers(
    [
        *_embeds("patch_embed1", "embed1", "embed2", "embed3", "embed4"),
        *_mixed("stage1.0", "conv5"),
        *_max_embeds(2),
        *_mixed("stage2.0", "conv"),
        *_mixed("stage2.1", "conv"),
        *_max_embeds(3),
    ]
)
_MAXFORMER_CIFAR = stem_layers(
    [
        _MAXFORMER_PROJ,
        *_embeds("patch_embed1", "embed1", "embed2"),
        *_mixed("stage1.0"),
        *_max_embeds(2),
        *_mixed("stage2.0", "conv"),
        *_max_embeds(3),
    ]
)
_MAXFORMER_EVENTS = stem_layers(
    [
        _MAXFORMER_PROJ,
        *_embeds("patch_embed1", "max_embed1", "max_embed2", "max_embed3", "embed1"),
        *_mixed("stage1.0", "conv"),
        *_max_embeds(2),
    ]
)


def _numbered(prefix: str) -> list[tuple[str, str]]:
    """SpikingJelly's MLPs."""
    return [(f"{prefix}.fc{n}", f"{prefix}.bn{n}") for n in "12"]


def _spikingjelly_max_embeds(number: int) -> list[tuple[str, str]]:
    prefix = f"patch_embed{number}"
    convs = [(f"{prefix}.conv{n}", f"{prefix}.bn{n}") for n in "12"]
    return [*convs, (f"{prefix}.shortcut.0", f"{prefix}.shortcut.1")]


def _spikingjelly_maxformer_block(i: int) -> tuple[Layer, ...]:
    theirs, ours = f"stage3.{i}", f"blocks.{i}"
    fc1, fc2 = _numbered(f"{theirs}.mlp")
    return (
        Layer(f"{ours}.attention.qkv", ((f"{theirs}.attn.qkv.0", f"{theirs}.attn.qkv.1"),)),
        Layer(f"{ours}.attention.proj", ((f"{theirs}.attn.proj.0", f"{theirs}.attn.proj.1"),)),
        Layer(f"{ours}.mlp.fc1", (fc1,)),
        Layer(f"{ours}.mlp.fc2", (fc2,)),
    )


_SPIKINGJELLY_MAXFORMER = stem_layers(
    [
        ("patch_embed1.conv", "patch_embed1.bn"),
        ("patch_embed1.branch.1", "patch_embed1.branch.2"),
        ("patch_embed1.shortcut.1", "patch_embed1.shortcut.2"),
        *_numbered("stage1.0"),
        *_spikingjelly_max_embeds(2),
        ("stage2.0.dwconv", "stage2.0.bn"),
        *_numbered("stage2.0.mlp"),
        *_spikingjelly_max_embeds(3),
    ]
)


def _projections(prefix: str, *numbers: str) -> list[tuple[str, str]]:
    """QKFormer's embeddings; the shortcut comes last."""
    names = [f"{prefix}.proj{number}" for number in (*numbers, "_res")]
    return [(f"{name}_conv", f"{name}_bn") for name in names]


def _gated(block: str, mlp: str) -> list[tuple[str, str]]:
    """QKFormer's blocks of token attention."""
    attention = [(f"{block}.tssa.{x}_conv", f"{block}.tssa.{x}_bn") for x in ("q", "k", "proj")]
    return [*attention, *((f"{block}.mlp.{w}", f"{block}.mlp.{bn}") for w, bn in _mlp_of(mlp))]


def _mlp_of(prefix: str) -> tuple[tuple[str, str], ...]:
    return numbered_mlp(prefix, "conv")


def _qkformer_block(stage: str, attention: str, mlp: str) -> Callable[[int], tuple[Layer, ...]]:
    return lambda i: separate_qkv(i, "conv", _mlp_of(mlp), stage, attention)


_QKFORMER_IMAGENET = stem_layers(
    [
        *_projections("patch_embed1", "", "1", "2"),
        *_gated("stage1.0", "fc"),
        *_projections("patch_embed2", "3", "4"),
        *_gated("stage2.0", "fc"),
        *_gated("stage2.1", "fc"),
        *_projections("patch_embed3", "3", "4"),
    ]
)
_QKFORMER_CIFAR = stem_layers(
    [
        *_projections("patch_embed1", "", "1"),
        *_gated("stage1.0", "mlp"),
        *_projections("patch_embed2", "3", "4"),
        *_gated("stage2.0", "mlp"),
        *_projections("patch_embed3", "3", "4"),
    ]
)
_QKFORMER_EVENTS = stem_layers(
    [
        *_projections("patch_embed1", "", "1", "2", "3"),
        *_gated("stage1.0", "mlp"),
        *_projections("patch_embed2", "", "4"),
    ]
)


def _spikingjelly_qkformer_stem() -> tuple[Layer, ...]:
    """Its q and k are one convolution."""

    def gated(block: str) -> list[tuple[str, str]]:
        qk = (f"{block}.attn.qk_conv_bn.0", f"{block}.attn.qk_conv_bn.1")
        proj = (f"{block}.attn.proj_conv_bn.0", f"{block}.attn.proj_conv_bn.1")
        return [qk, qk, proj, *_numbered(f"{block}.mlp")]

    def embed(number: int, convs: str) -> list[tuple[str, str]]:
        prefix = f"patch_embed{number}"
        pairs = [(f"{prefix}.conv{n}", f"{prefix}.bn{n}") for n in convs]
        return [*pairs, (f"{prefix}.shortcut.0", f"{prefix}.shortcut.1")]

    pairs = [*embed(1, "123"), *gated("stage1.0"), *embed(2, "12"), *gated("stage2.0")]
    pairs += [*gated("stage2.1"), *embed(3, "12")]
    layers = []
    for index, layer in enumerate(stem_layers(pairs)):
        both = pairs.count(pairs[index]) == 2
        layers.append(layer._replace(share=(index - pairs.index(pairs[index]), 1 + both)))
    return tuple(layers)


def _spikingjelly_qkformer_block(i: int) -> tuple[Layer, ...]:
    theirs, ours = f"stage3.{i}", f"blocks.{i}"
    fc1, fc2 = _numbered(f"{theirs}.mlp")
    qkv, proj = (
        (f"{theirs}.attn.{n}_conv_bn.0", f"{theirs}.attn.{n}_conv_bn.1") for n in ("qkv", "proj")
    )
    return (
        Layer(f"{ours}.attention.qkv", (qkv,)),
        Layer(f"{ours}.attention.proj", (proj,)),
        Layer(f"{ours}.mlp.fc1", (fc1,)),
        Layer(f"{ours}.mlp.fc2", (fc2,)),
    )


_QK = "stage1.0.attn.q_conv.weight"  # the repository's other network, MS-QKFormer
_NORMS = r"block\.\d+\.norm[12]\.(weight|bias)"
_DVS_UNUSED = rf"{_NORMS}|pos_embed|norm\.(weight|bias)"
_PATCH = "patch_embed"
_STAGES = [f"{_PATCH}.stages.{n}.conv_bn.block" for n in range(4)]
_STAGES.append(f"{_PATCH}.positional_encoding.conv_bn.block")
_SDT_STAGES = [f"{_PATCH}.stages.{n}" for n in range(3)] + [f"{_PATCH}.final_stage"]

_CML_SPIKFORMER = f"{_PATCH}.block4_conv.weight"
_CML_STEM = [(f"{_PATCH}.{n}_conv", f"{_PATCH}.{n}_bn") for n in
             ("block1", "block2", "block3", "block4", "rpe")]  # fmt: skip

FORMATS: tuple[Format, ...] = (
    Format(
        "spikformer-linear",
        sign="block.0.attn.q_linear.weight",
        absent=_CML_SPIKFORMER,
        stem=_repository_stem(_PATCH),
        block=_spikformer_block("linear"),
        blocks="block",
        unused=_NORMS,
    ),
    Format(
        "spikformer-cml",
        sign=_CML_SPIKFORMER,
        absent=f"{_PATCH}.block0_conv.weight",
        stem=stem_layers(_CML_STEM),
        block=_spikformer_block("linear"),
        blocks="block",
        unused=_NORMS,
    ),
    Format(
        "spikformer-position",
        sign="pos_embed",
        absent="block.0.attn.talking_heads.weight",
        stem=_repository_stem(_PATCH),
        block=_spikformer_block("conv"),
        blocks="block",
        unused=_DVS_UNUSED,
    ),
    Format(
        "spikformer-conv",
        sign="block.0.mlp.fc1_conv.weight",
        absent="block.0.attn.talking_heads.weight",
        stem=_repository_stem(_PATCH),
        block=_spikformer_block("conv"),
        blocks="block",
        unused=_NORMS,
    ),
    Format(
        "spikingformer-block",
        sign=f"{_PATCH}.block0_conv.weight",
        absent="",
        stem=stem_layers((f"{_PATCH}.block{n}_conv", f"{_PATCH}.block{n}_bn") for n in range(5)),
        block=_spikingformer_block,
        blocks="block",
        unused=_NORMS,
    ),
    Format(
        "spikingformer-proj",
        sign=f"{_PATCH}.proj4_conv.weight",
        absent="",
        stem=stem_layers((f"{_PATCH}.proj{n}_conv", f"{_PATCH}.proj{n}_bn") for n in ("", *"1234")),
        block=_spikingformer_block,
        blocks="block",
        unused=_NORMS,
    ),
    Format(
        "sdt",
        sign="block.0.attn.talking_heads.weight",
        absent="",
        stem=_repository_stem(_PATCH),
        block=_spikformer_block("conv"),
        blocks="block",
        unused=r"block\.\d+\.attn\.talking_heads\.weight",
    ),
    Format(
        "spikingjelly-spikformer",
        sign="blocks.0.attn.qkv_conv_bn.0.weight",
        absent="",
        stem=stem_layers((f"{stage}.0", f"{stage}.1") for stage in _STAGES),
        block=_spikingjelly_spikformer_block,
        blocks="blocks",
    ),
    Format(
        "spikingjelly-sdt",
        sign=f"{_PATCH}.final_stage.0.weight",
        absent="",
        stem=stem_layers(
            [
                *((f"{stage}.0", f"{stage}.1") for stage in _SDT_STAGES),
                (f"{_PATCH}.rpe_conv", f"{_PATCH}.rpe_bn"),
            ]
        ),
        block=_spikingjelly_sdt_block,
        blocks="blocks",
    ),
    Format(
        "spikingjelly-maxformer",
        sign="patch_embed1.branch.1.weight",
        absent="",
        stem=_SPIKINGJELLY_MAXFORMER,
        block=_spikingjelly_maxformer_block,
        blocks="stage3",
    ),
    Format(
        "maxformer-imagenet",
        sign="patch_embed1.embed4.embed_conv.weight",
        absent=_QK,
        stem=_MAXFORMER_IMAGENET,
        block=_maxformer_block("stage3"),
        blocks="stage3",
    ),
    Format(
        "maxformer-events",
        sign="patch_embed1.max_embed3.embed_conv.weight",
        absent=_QK,
        stem=_MAXFORMER_EVENTS,
        block=_maxformer_block("stage2"),
        blocks="stage2",
    ),
    Format(
        "maxformer-cifar",
        sign="stage2.0.mixer.conv.weight",
        absent=_QK,
        stem=_MAXFORMER_CIFAR,
        block=_maxformer_block("stage3"),
        blocks="stage3",
    ),
    Format(
        "spikingjelly-qkformer",
        sign="stage1.0.attn.qk_conv_bn.0.weight",
        absent="",
        stem=_spikingjelly_qkformer_stem(),
        block=_spikingjelly_qkformer_block,
        blocks="stage3",
    ),
    *(
        Format(
            f"espikeformer{name}",
            sign=f"{espikeformer.BLOCKS}.0.{sign}.conv1.0.weight",
            absent="",
            stem=espikeformer.stem(),
            block=partial(espikeformer.block, linear_first=bool(name)),
            blocks=espikeformer.BLOCKS,
            prepared=espikeformer.prepared,
            told=espikeformer.told,
            head=espikeformer.head,
        )
        for name, sign in (("-linear-first", "rep_conv"), ("", "attn.q_conv.0"))
    ),
    Format(
        "qkformer-imagenet",
        sign="stage2.1.tssa.q_conv.weight",
        absent="",
        stem=_QKFORMER_IMAGENET,
        block=_qkformer_block("stage3", "attn", "fc"),
        blocks="stage3",
    ),
    Format(
        "qkformer-cifar",
        sign="stage3.0.ssa.q_conv.weight",
        absent="",
        stem=_QKFORMER_CIFAR,
        block=_qkformer_block("stage3", "ssa", "mlp"),
        blocks="stage3",
    ),
    Format(
        "qkformer-events",
        sign="stage2.0.ssa.q_conv.weight",
        absent="",
        stem=_QKFORMER_EVENTS,
        block=_qkformer_block("stage2", "ssa", "mlp"),
        blocks="stage2",
    ),
)


def find_format(keys: Iterable[str]) -> Format:
    """The repository whose naming `keys` follow.

    Raises:
        CheckpointError: none does; the known ones are listed.
    """
    known = set(keys)
    for candidate in FORMATS:
        if candidate.sign in known and candidate.absent not in known:
            return candidate
    names = ", ".join(candidate.name for candidate in FORMATS)
    some = ", ".join(sorted(known)[:3]) or "nothing"
    raise CheckpointError(
        f"the parameter names (e.g. {some}) follow none of the known repositories: {names}"
    )
