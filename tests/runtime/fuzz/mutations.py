"""Damaged versions of valid bytes and of valid JSON."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["never", "halting", "image", "frames", "../x", "first.onnx", "0" * 64]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """Bytes with a few replaced, inserted or cut out, or the file cut off, or just noise."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["flip", "set", "insert", "delete", "cut", "copy"]))
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(1, 16))
        if kind == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set" and data:
            data[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "delete":
            del data[at : at + length]
        elif kind == "cut":
            del data[at:]
        else:
            data[at:at] = data[max(at - length, 0) : at]
    return bytes(data) if draw(st.integers(0, 30)) else draw(st.binary(max_size=200))


@st.composite
def changed_json(draw: st.DrawFn, valid: dict[str, Any]) -> dict[str, Any]:
    """A JSON object in which a few values, at any depth, are others, gone, new or renamed."""
    data = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        parent = _container(draw, data)
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        if not keys:
            continue
        key = draw(st.sampled_from(keys))
        action = draw(st.sampled_from(["set", "set", "near", "drop", "add"]))
        if action == "set":
            parent[key] = draw(JSON_VALUES)
        elif action == "near":
            parent[key] = _near(draw, parent[key])
        elif action == "drop":
            del parent[key]
        elif isinstance(parent, dict):
            parent[draw(st.text(max_size=8))] = draw(JSON_VALUES)
    return data


def _container(draw: st.DrawFn, data: Any) -> Any:
    """A random dict or list inside `data`, or `data` itself."""
    while True:
        values = data.values() if isinstance(data, dict) else data
        inner = [value for value in values if isinstance(value, dict | list)]
        if not inner or draw(st.booleans()):
            return data
        data = draw(st.sampled_from(inner))


def _near(draw: st.DrawFn, value: Any) -> Any:
    """A value of the same type, so that it gets past the type checks."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return draw(st.sampled_from([0, -1, value + 1, value * 1000, 2**31, 2**53]))
    if isinstance(value, float):
        return draw(st.floats(allow_nan=False, allow_infinity=False))
    if isinstance(value, str):
        return value + draw(st.text(max_size=4))
    return value
