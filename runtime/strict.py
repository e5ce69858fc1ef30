"""JSON to frozen dataclasses, refusing whatever is not exactly expected.

The field types understood are bool, int, float, str, `X | None`, `Literal`, `tuple[X, ...]`,
`dict[str, X]`, nested dataclasses and `Any`. Nothing is converted except int to float.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import sys
import types
from collections.abc import Callable
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from runtime.errors import BundleFormatError

T = TypeVar("T")

MAX_INT = 2**53  # the largest integer every JSON reader keeps exactly
MAX_DEPTH = 64


def parse_json(text: str, where: str) -> dict[str, Any]:
    """Parse one JSON object; refuse duplicate keys, NaN and infinities.

    Args:
        text: the file's text.
        where: what to call it in messages.

    Raises:
        BundleFormatError: not JSON, not an object, or nested too deeply.
    """
    try:
        data = json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_refuse_constant)
    except RecursionError:
        raise BundleFormatError(f"{where} is nested too deeply to be one of ours") from None
    except ValueError as error:
        raise BundleFormatError(f"{where} is not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise BundleFormatError(f"{where} must hold a JSON object, not {_describe(data)}")
    return data


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in pairs:
        if key in data:
            raise ValueError(f"key {key[:80]!r} appears twice")
        data[key] = value
    return data


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def build(cls: type[T], data: Any, where: str) -> T:
    """Make the dataclass `cls` from parsed JSON.

    Args:
        cls: a dataclass type.
        data: what `parse_json` returned, or a part of it.
        where: path of `data` for messages, such as "manifest.json: input".

    Raises:
        BundleFormatError: an unknown, missing or mistyped key; the nearest valid name is given.
    """
    if not isinstance(data, dict):
        raise BundleFormatError(f"{where} must be an object, not {_describe(data)}")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in data:
        if key not in fields:
            raise BundleFormatError(f"{where} has {unknown_name('key', key, fields)}")
    hints = get_type_hints(cls)
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _convert(hints[name], data[name], f"{where}.{name}")
        elif _is_required(field):
            raise BundleFormatError(f"{where} lacks the key {name!r}")
    return cls(**values)


def unknown_name(kind: str, name: str, valid: Any) -> str:
    """Say that `name` is unknown, which valid name is nearest, and which exist."""
    names = sorted(str(each) for each in valid)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {str(name)[:80]!r}{hint} (valid: {', '.join(names)})"


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _convert(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return _bounded(value, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, where)
    if hint in _SCALARS:
        return _SCALARS[hint](value, where)
    return _GENERICS[get_origin(hint)](hint, value, where)


def _bounded(value: Any, where: str, depth: int = 0) -> Any:
    """Free-form JSON as it is, unless it is nested deeper than anything we write."""
    if depth > MAX_DEPTH:
        raise BundleFormatError(f"{where} is nested more than {MAX_DEPTH} levels deep")
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for child in children:
            _bounded(child, where, depth + 1)
    if isinstance(value, float):
        _to_float(value, where)
    return value


def _to_bool(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _mistyped("true or false", value, where)
    return value


def _to_int(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INT:
        raise _mistyped("an integer", value, where)
    return value


def _to_float(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mistyped("a number", value, where)
    if abs(value) > sys.float_info.max or not math.isfinite(value):
        raise _mistyped("a finite number", value, where)
    return float(value)


def _to_str(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _mistyped("a string", value, where)
    return value


def _to_union(hint: Any, value: Any, where: str) -> Any:
    if value is None:
        return None
    (inner,) = (each for each in get_args(hint) if each is not type(None))
    return _convert(inner, value, where)


def _to_literal(hint: Any, value: Any, where: str) -> Any:
    choices = get_args(hint)
    if not isinstance(value, str) or value not in choices:
        raise BundleFormatError(f"{where} has {unknown_name('value', value, choices)}")
    return value


def _to_tuple(hint: Any, value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _mistyped("a list", value, where)
    inner = get_args(hint)[0]
    return tuple(_convert(inner, each, f"{where}[{i}]") for i, each in enumerate(value))


def _to_dict(hint: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _mistyped("an object", value, where)
    inner = get_args(hint)[1]
    return {key: _convert(inner, each, f"{where}.{key[:80]}") for key, each in value.items()}


_SCALARS: dict[Any, Callable[[Any, str], Any]] = {
    bool: _to_bool,
    int: _to_int,
    float: _to_float,
    str: _to_str,
}
_GENERICS: dict[Any, Callable[[Any, Any, str], Any]] = {
    Union: _to_union,
    types.UnionType: _to_union,
    Literal: _to_literal,
    tuple: _to_tuple,
    dict: _to_dict,
}


def _mistyped(expected: str, value: Any, where: str) -> BundleFormatError:
    return BundleFormatError(f"{where} must be {expected}, not {_describe(value)}")


def _describe(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) > MAX_INT:
        return "an integer beyond 2^53"
    return f"{type(value).__name__} {str(value)[:80]!r}"
