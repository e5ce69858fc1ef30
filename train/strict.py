"""Read nested frozen dataclasses from plain data, refusing everything that is not declared."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from train.errors import ConfigError

T = TypeVar("T")


def from_dict(cls: type[T], data: Mapping[str, Any], where: str = "") -> T:
    """Build the dataclass `cls` from `data`, field by field.

    Args:
        cls: a dataclass type; fields may be int, float, bool, str, Literal, Optional, tuples of
            these, and nested dataclasses.
        data: values by field name. Missing fields take their defaults.
        where: dotted path of `data` in the whole configuration, for messages.

    Raises:
        ConfigError: an unknown key (the nearest valid one is named), a value of the wrong type, or
            a combination that the dataclass itself refuses.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where or 'configuration'} must be a mapping, got {data!r}")
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in data:
        if key not in names:
            raise ConfigError(_unknown_key(str(key), names, where))
    values = {key: _convert(hints[key], value, _join(where, key)) for key, value in data.items()}
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}" if where else str(error)) from None


def to_dict(config: Any) -> dict[str, Any]:
    """The plain data `from_dict` reads back: dicts, lists, numbers, strings, None."""
    plain = dataclasses.asdict(config)
    return typing.cast(dict[str, Any], _lists(plain))


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_lists(item) for item in value]
    return value


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _unknown_key(key: str, names: list[str], where: str) -> str:
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    hint = f"did you mean {_join(where, near[0])!r}?" if near else "no key has a similar name."
    return f"unknown key {_join(where, key)!r}; {hint} Valid keys: {', '.join(sorted(names))}"


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else from_dict(hint, value, where)  # type: ignore[arg-type]
    if origin is typing.Literal:
        return _literal(args, value, where)
    if origin in (typing.Union, types.UnionType):
        return _optional(args, value, where)
    if origin is tuple:
        return _tuple(args, value, where)
    return _scalar(hint, value, where)


def _literal(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    if value in choices:
        return value
    near = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(
        f"{where} is {value!r}, must be one of {', '.join(map(repr, choices))}.{hint}"
    )


def _optional(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in options:
        return None
    rest = [option for option in options if option is not type(None)]
    return _convert(rest[0], value, where)


def _tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where} must be a list, got {value!r}")
    hints = args[:1] * len(value) if args[-1] is Ellipsis else args
    if len(hints) != len(value):
        raise ConfigError(f"{where} must have {len(hints)} values, got {len(value)}")
    return tuple(
        _convert(h, v, f"{where}[{i}]") for i, (h, v) in enumerate(zip(hints, value, strict=True))
    )


def _scalar(hint: type, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    wrong_bool = isinstance(value, bool) and hint is not bool
    if wrong_bool or not isinstance(value, hint):
        raise ConfigError(
            f"{where} must be of type {hint.__name__}, got {value!r} ({type(value).__name__})"
        )
    return value
