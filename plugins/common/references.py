"""The numpy references by op name, called with a node's attributes as ONNX writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from plugins.common.contract import FLOAT, FLOAT16, INT8, UINT8
from plugins.common.types import Array
from plugins.lif.reference import lif
from plugins.token_halt.reference import token_halt
from plugins.token_merge.reference import token_merge

SPIKE_DTYPES: Final = {FLOAT: np.float32, FLOAT16: np.float16, INT8: np.int8, UINT8: np.uint8}
"""The numpy dtype of LIF's attribute `spike_type`."""


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
}
