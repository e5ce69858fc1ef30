"""The numpy references by op name, called with a node's attributes as ONNX writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from plugins.common.contract import FLOAT, FLOAT16, INT8, UINT8
from plugins.common.types import Array
from plugins.lif.reference import lif
from plugins.packed_halt.reference import packed_token_halt
from plugins.packed_lif.reference import packed_lif
from plugins.patches.reference import patches
from plugins.spike_attention.reference import packed_attention, spike_attention
from plugins.spike_conv.reference import spike_conv, spike_conv_integer
from plugins.spike_count.reference import spike_count
from plugins.spike_linear.reference import spike_linear, spike_linear_integer
from plugins.token_halt.reference import token_halt
from plugins.token_merge.reference import token_merge
from plugins.token_pack.reference import token_pack

SPIKE_DTYPES: Final = {FLOAT: np.float32, FLOAT16: np.float16, INT8: np.int8, UINT8: np.uint8}
"""The numpy dtype of the attributes `spike_type` and `count_type`."""


def run_reference(op: str, attributes: Mapping[str, Any], *inputs: Array) -> tuple[Array, ...]:
    """Compute a node of `op` with its numpy reference.

    Args:
        op: one of `plugins.OP_NAMES`.
        attributes: the node's attributes; those only TensorRT reads are ignored.
        *inputs: the node's inputs.

    Raises:
        ValueError: the inputs do not fit each other.
        KeyError: there is no such op.
    """
    own = {name: value for name, value in attributes.items() if not name.startswith("plugin_")}
    return _CALLS[op](own, *inputs)


def _packed_lif(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    kind = SPIKE_DTYPES[attributes["spike_type"]]
    return packed_lif(*inputs, **attributes | {"spike_type": kind})


def _packed_halt(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    return packed_token_halt(*inputs, **attributes)


def _pack(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    return token_pack(*inputs)


def _attention(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    return spike_attention(*inputs, **attributes)


def _packed_attention(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    return packed_attention(*inputs, **attributes)


def _count(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    kind = SPIKE_DTYPES[attributes["count_type"]]
    return spike_count(*inputs, **attributes | {"count_type": kind})


def _patches(attributes: dict[str, Any], x: Array) -> tuple[Array, ...]:
    return patches(x)


def _linear(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    return spike_linear(*inputs)


def _linear_integer(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    return spike_linear_integer(*inputs)


def _conv(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    return spike_conv(*inputs)


def _conv_integer(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    return spike_conv_integer(*inputs)


def _lif(attributes: dict[str, Any], x: Array, v: Array) -> tuple[Array, ...]:
    return lif(x, v, **attributes | {"spike_type": SPIKE_DTYPES[attributes["spike_type"]]})


def _halt(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    return token_halt(*inputs, **attributes, reduce=False)


def _halt_sum(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    return token_halt(*inputs, **attributes, reduce=True)


def _merge(attributes: dict[str, Any], *inputs: Array) -> tuple[Array, ...]:
    return token_merge(*inputs, **attributes)


_CALLS: Final[dict[str, Callable[..., tuple[Array, ...]]]] = {
    "LIF": _lif,
    "TokenHalt": _halt,
    "TokenHaltSum": _halt_sum,
    "TokenMerge": _merge,
    "PackedLIF": _packed_lif,
    "PackedTokenHalt": _packed_halt,
    "TokenPack": _pack,
    "SpikeAttention": _attention,
    "PackedAttention": _packed_attention,
    "SpikeCount": _count,
    "Patches": _patches,
    "SpikeLinear": _linear,
    "SpikeLinearInteger": _linear_integer,
    "SpikeConv": _conv,
    "SpikeConvInteger": _conv_integer,
}
