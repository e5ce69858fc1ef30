"""Names, versions and attributes of the custom ops; the code form of the `op.yaml` files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DOMAIN: Final = "spikehalt"
"""ONNX domain of the ops and TensorRT namespace of their plugins."""
VERSION: Final = 1
"""Version of the domain, and of every plugin in it."""
MICROSOFT: Final = "com.microsoft"
"""ONNX domain of ONNX Runtime's own ops, which it has everywhere."""
OPSET: Final = 18
"""Default ONNX opset of the function bodies."""
IR_VERSION: Final = 8
"""ONNX IR version that TensorRT 10.3 (JetPack 6) parses together with `OPSET`."""

FLOAT: Final = 1
UINT8: Final = 2
INT8: Final = 3
FLOAT16: Final = 10
"""`onnx.TensorProto` data types a spike can have, so that nobody needs onnx to name one."""

AttributeValue = float | int | str | tuple[int, ...]


class OpAttributeError(ValueError):
    """An op was given an attribute it does not have, lacks one, or has one out of range."""


@dataclass(frozen=True)
class Attribute:
    """Type, default and range of one op attribute.

    Args:
        type: `float`, `int`, `str`, or `tuple` for one or more integers.
        default: the value taken when none is given; None means that one must be given.
        choices: the values allowed; empty means any.
        minimum: the smallest value allowed, of each in a tuple.
    """

    type: type[float] | type[int] | type[str] | type[tuple[int, ...]]
    default: AttributeValue | None = None
    choices: tuple[AttributeValue, ...] = ()
    minimum: float = -math.inf


_NEURON: Final = {
    "decay": Attribute(float),
    "threshold": Attribute(float),
    "v_reset": Attribute(float, 0.0),
    "reset": Attribute(str, "hard", choices=("hard", "soft")),
    "spike_type": Attribute(int, FLOAT, choices=(FLOAT, FLOAT16, INT8, UINT8)),
}
_HALT: Final = {
    "alpha": Attribute(float),
    "beta": Attribute(float),
    "last": Attribute(int, 0, choices=(0, 1)),
}
_ATTENTION: Final = {"heads": Attribute(int, minimum=1), "slots": Attribute(int, minimum=1)}

ATTRIBUTES: Final[Mapping[str, Mapping[str, Attribute]]] = {
    "LIF": {**_NEURON, "steps": Attribute(int, 1, minimum=1)},
    "TokenHalt": _HALT,
    "TokenHaltSum": _HALT,
    "TokenMerge": {"gamma": Attribute(int, minimum=1)},
    "PackedLIF": _NEURON,
    "PackedTokenHalt": _HALT,
    "TokenPack": {},
    "SpikeAttention": _ATTENTION,
    "PackedAttention": _ATTENTION,
    "SpikeCount": {
        "weights": Attribute(tuple, minimum=1),
        "unit": Attribute(float, 1.0),
        "count_type": Attribute(int, FLOAT, choices=(FLOAT, FLOAT16, UINT8)),
    },
    "Patches": {},
    "SpikeLinear": {},
    "SpikeLinearInteger": {},
    "SpikeConv": {},
    "SpikeConvInteger": {},
}
OP_NAMES: Final = tuple(ATTRIBUTES)
PLUGIN_OPS: Final = ("LIF", "TokenHalt", "TokenHaltSum", "TokenMerge")
"""The ops that have TensorRT plugins; the others are for CPUs and run there as function bodies."""

SPIKE_OPS: Final = ("SpikeLinear", "SpikeLinearInteger", "SpikeConv", "SpikeConvInteger")
"""The ops whose kernels pay for activations that are not zero."""


def node_attributes(op: str, **given: AttributeValue) -> dict[str, AttributeValue]:
    """Return every attribute a node of `op` must carry, the defaults filled in.

    ONNX functions of IR version 8 have no attribute defaults, so a node names all of them. The
    two `plugin_*` attributes let TensorRT find the plugin whatever its version; an op without one
    must not have them, or TensorRT would look for it and not at the function body.

    Args:
        op: one of `OP_NAMES`.
        **given: attribute values; floats may be given as ints, tuples as lists.

    Returns:
        name to value, ready for `onnx.helper.make_node(op, ..., domain=DOMAIN, **attributes)`.

    Raises:
        OpAttributeError: unknown op or attribute, a missing one, a wrong type or range.
    """
    if op not in ATTRIBUTES:
        raise OpAttributeError(f"There is no op {op!r}; the ops are {', '.join(OP_NAMES)}.")
    schema = ATTRIBUTES[op]
    unknown = sorted(set(given) - set(schema))
    if unknown:
        raise OpAttributeError(f"{op} has no attribute {unknown[0]!r}; it has {', '.join(schema)}.")
    values = {name: _checked(op, name, schema[name], given.get(name)) for name in schema}
    if op not in PLUGIN_OPS:
        return values
    return values | {"plugin_namespace": DOMAIN, "plugin_version": str(VERSION)}


def _checked(
    op: str, name: str, attribute: Attribute, value: AttributeValue | None
) -> AttributeValue:
    """Return the attribute's value in its own type, or raise `OpAttributeError`."""
    if value is None:
        value = attribute.default
    if value is None:
        raise OpAttributeError(f"{op} needs attribute {name!r} ({attribute.type.__name__}).")
    if attribute.type is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if attribute.type is tuple:
        return _checked_ints(op, name, attribute, value)
    if not isinstance(value, attribute.type) or isinstance(value, bool):
        raise OpAttributeError(
            f"{op} attribute {name!r} must be {attribute.type.__name__}, got {value!r}."
        )
    _check_range(op, name, attribute, value)
    return value


def _checked_ints(
    op: str, name: str, attribute: Attribute, value: AttributeValue
) -> tuple[int, ...]:
    """Return one or more integers as a tuple, or raise `OpAttributeError`."""
    given = tuple(value) if isinstance(value, (tuple, list)) else ()
    if not given or any(type(each) is not int for each in given):
        raise OpAttributeError(f"{op} attribute {name!r} must be integers, got {value!r}.")
    for each in given:
        _check_range(op, name, attribute, each)
    return given


def _check_range(op: str, name: str, attribute: Attribute, value: AttributeValue) -> None:
    """Raise `OpAttributeError` for a value that is not finite, not a choice or too small."""
    if attribute.choices and value not in attribute.choices:
        allowed = ", ".join(map(repr, attribute.choices))
        raise OpAttributeError(f"{op} attribute {name!r} must be one of {allowed}; got {value!r}.")
    if isinstance(value, (str, tuple)):
        return
    if not math.isfinite(value):
        raise OpAttributeError(f"{op} attribute {name!r} must be finite, got {value!r}.")
    if value < attribute.minimum:
        raise OpAttributeError(
            f"{op} attribute {name!r} must be at least {attribute.minimum:g}, got {value!r}."
        )
