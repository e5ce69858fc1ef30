"""Plain data to frozen dataclasses, refusing whatever is not exactly expected.

The field types understood are bool, int, float, str, `X | None`, `Literal`, `tuple[X, ...]`,
`tuple[X, Y]`, `dict[str, X]`, nested dataclasses and `Any`. Nothing is converted except int to
float, and a list to a tuple.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from spikehalt.errors import ConfigError, SpikehaltError

T = TypeVar("T")
ErrorKind = type[SpikehaltError]

MAX_INT = 2**53  # the largest integer every JSON reader keeps exactly
MAX_DEPTH = 64


def parse_json(text: str, where: str, error: ErrorKind = ConfigError) -> dict[str, Any]:
    """Parse one JSON object; refuse duplicate keys, NaN and infinities.

    Args:
        text: the file's text.
        where: what to call it in messages.
        error: what to raise.

    Raises:
        SpikehaltError: of kind `error`: not JSON, not an object, or nested too deeply.
    """
    try:
        data = json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_refuse_constant)
    except RecursionError:
        raise error(f"{where} is nested too deeply to be one of ours") from None
    except ValueError as problem:
        raise error(f"{where} is not valid JSON: {problem}") from problem
    if not isinstance(data, dict):
        raise error(f"{where} must hold a JSON object, not {describe(data)}")
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


def build(cls: type[T], data: Any, where: str = "", error: ErrorKind = ConfigError) -> T:
    """Make the dataclass `cls` from plain data, field by field.

    Args:
        cls: a dataclass type.
        data: values by field name; missing fields take their defaults.
        where: path of `data` for messages, such as "manifest.json: input"; "" for a whole
            configuration, whose keys are named from its top.
        error: what to raise.

    Raises:
        SpikehaltError: of kind `error`: an unknown, missing or mistyped key, with the nearest valid
            name, or a combination that the dataclass itself refuses.
    """
    return _Reader(error).build(cls, data, where)


def to_dict(config: Any) -> dict[str, Any]:
    """The plain data that `build` reads back: dicts, lists, numbers, strings, None."""
    return {name: _plain(value) for name, value in dataclasses.asdict(config).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Dotted keys that both have with other values, and both values: `{key: [before, now]}`."""
    old, new = dict(_leaves(before, "")), dict(_leaves(now, ""))
    return {key: [old[key], new[key]] for key in new if key in old and old[key] != new[key]}


def _leaves(values: Mapping[str, Any], where: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        key = join(where, name)
        if isinstance(value, Mapping):
            yield from _leaves(value, key)
        else:
            yield key, value


def unknown_name(kind: str, name: object, valid: Iterable[object]) -> str:
    """Say that `name` is unknown, which valid name is nearest, and which exist."""
    names = sorted(map(str, valid))
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {str(name)[:80]!r}{hint} (valid: {', '.join(names)})"


def describe(value: Any) -> str:
    """A value of JSON or YAML in words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping | list | tuple):
        return "an object" if isinstance(value, Mapping) else "a list"
    if isinstance(value, int) and abs(value) > MAX_INT:
        return "an integer beyond 2^53"
    return f"{type(value).__name__} {str(value)[:80]!r}"


def join(where: str, key: str) -> str:
    """The path of a key below `where`."""
    return f"{where}.{key}" if where else key


class _Reader:
    """One reading; its errors are of one kind."""

    def __init__(self, error: ErrorKind) -> None:
        self.error = error

    def build(self, cls: type[T], data: Any, where: str) -> T:
        place = where or "configuration"
        if not isinstance(data, Mapping):
            raise self.error(f"{place} must be an object, not {describe(data)}")
        fields = {each.name: each for each in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for key in data:
            if key not in fields:
                raise self.error(f"{place} has {unknown_name('key', key, fields)}")
        hints = get_type_hints(cls)
        values = {}
        for name, field in fields.items():
            if name in data:
                values[name] = self.convert(hints[name], data[name], join(where, name))
            elif _is_required(field):
                raise self.error(f"{place} lacks the key {name!r}")
        try:
            return cls(**values)
        except SpikehaltError as problem:
            raise self.error(f"{where}: {problem}" if where else str(problem)) from None

    def convert(self, hint: Any, value: Any, where: str) -> Any:
        if hint is Any:
            return self.bounded(value, where)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return value if isinstance(value, hint) else self.build(hint, value, where)
        if hint in _SCALARS:
            return _SCALARS[hint](self, value, where)
        return _GENERICS[get_origin(hint)](self, hint, value, where)

    def bounded(self, value: Any, where: str, depth: int = 0) -> Any:
        """Free-form JSON as it is, unless it is nested deeper than anything we write."""
        if depth > MAX_DEPTH:
            raise self.error(f"{where} is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, dict | list):
            for child in value.values() if isinstance(value, dict) else value:
                self.bounded(child, where, depth + 1)
        if isinstance(value, float):
            self.to_float(value, where)
        return value

    def to_bool(self, value: Any, where: str) -> bool:
        if not isinstance(value, bool):
            raise self.mistyped("true or false", value, where)
        return value

    def to_int(self, value: Any, where: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INT:
            raise self.mistyped("an integer", value, where)
        return value

    def to_float(self, value: Any, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.mistyped("a number", value, where)
        if abs(value) > sys.float_info.max or not math.isfinite(value):
            raise self.mistyped("a finite number", value, where)
        return float(value)

    def to_str(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            raise self.mistyped("a string", value, where)
        return value

    def to_union(self, hint: Any, value: Any, where: str) -> Any:
        if value is None:
            return None
        (inner,) = (each for each in get_args(hint) if each is not type(None))
        return self.convert(inner, value, where)

    def to_literal(self, hint: Any, value: Any, where: str) -> Any:
        choices = get_args(hint)
        if isinstance(value, list | dict) or value not in choices:
            raise self.error(f"{where} has {unknown_name('value', value, choices)}")
        return value

    def to_tuple(self, hint: Any, value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise self.mistyped("a list", value, where)
        inner = get_args(hint)
        hints = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        if len(hints) != len(value):
            raise self.error(f"{where} must have {len(hints)} values, not {len(value)}")
        pairs = enumerate(zip(hints, value, strict=True))
        return tuple(self.convert(each, item, f"{where}[{i}]") for i, (each, item) in pairs)

    def to_dict(self, hint: Any, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.mistyped("an object", value, where)
        inner = get_args(hint)[1]
        return {
            key: self.convert(inner, each, join(where, str(key)[:80]))
            for key, each in value.items()
        }

    def mistyped(self, expected: str, value: Any, where: str) -> SpikehaltError:
        return self.error(f"{where} must be {expected}, not {describe(value)}")


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


_SCALARS: dict[Any, Callable[[_Reader, Any, str], Any]] = {
    bool: _Reader.to_bool,
    int: _Reader.to_int,
    float: _Reader.to_float,
    str: _Reader.to_str,
}
_GENERICS: dict[Any, Callable[[_Reader, Any, Any, str], Any]] = {
    Union: _Reader.to_union,
    types.UnionType: _Reader.to_union,
    Literal: _Reader.to_literal,
    tuple: _Reader.to_tuple,
    dict: _Reader.to_dict,
}
