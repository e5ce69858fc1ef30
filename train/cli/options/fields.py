"""Frozen dataclasses as options of a command, and options as dataclasses.

The field `ponder_weight` of the nested `halting` is the option `--halting.ponder-weight`; its help
is its line in the dataclass's docstring. Fields may be int, float, str, bool, Path, Literal,
None or one of these, tuples of these, and dataclasses.
"""

from __future__ import annotations

import argparse
import dataclasses
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from spikehalt.errors import ConfigError, SpikehaltError
from train.cli.options.helps import field_helps, summary

T = TypeVar("T")

_METAVARS = {int: "INT", float: "FLOAT", str: "TEXT", Path: "FILE"}
_TRUTH = {"true": True, "false": False}


def given(default: Any = dataclasses.MISSING, **keywords: Any) -> Any:
    """A dataclass field, with further arguments of `add_argument` for its option.

    Args:
        default: of the field.
        keywords: of `add_argument`; `positional=True` makes it a positional argument.
    """
    return dataclasses.field(default=default, metadata=keywords)


def add_fields(parser: argparse.ArgumentParser, kind: type) -> None:
    """Declare an option for every field of a dataclass."""
    parser.allow_abbrev = False
    _add(parser, kind, "", opposites=False, without=())


def add_changes(
    parser: argparse.ArgumentParser,
    kind: type,
    *,
    without: tuple[str, ...] = (),
    shown: str | None = None,
) -> None:
    """Declare options that change an instance, such as the one that an `Original` names.

    Args:
        parser: what to add to.
        kind: the dataclass.
        without: fields that have no option.
        shown: the text that help has as the default of every option, in place of the dataclass's.
    """
    parser.allow_abbrev = False
    _add(parser, kind, "", opposites=True, without=without)
    if shown is not None:
        for action in parser._actions:
            if "shown" in vars(action):
                _show(action, shown)


class Original(argparse.Action):
    """An argument that names what `add_changes` changes; `--help` after it shows its values."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, value: Any, *_: Any
    ) -> None:
        """Keep it, and show its values as defaults."""
        setattr(namespace, self.dest, value)
        values = dict(_leaves(value, ""))
        for action in parser._actions:
            if action.dest in values:
                _show(action, values[action.dest])


def named(load: Callable[[str], T]) -> Callable[[str], T]:
    """`load` as the type of an argument: its errors are those of the argument."""

    def loaded(text: str) -> T:
        try:
            return load(text)
        except SpikehaltError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return loaded


def read_fields(kind: type[T], arguments: argparse.Namespace) -> T:
    """The dataclass, read from the options of `add_fields`.

    Raises:
        ConfigError: a combination that the dataclass refuses.
    """
    return _read(kind, kind, vars(arguments), "")


def read_changes(original: T, arguments: argparse.Namespace) -> T:
    """`original`, changed by the options of `add_changes`.

    Raises:
        ConfigError: a combination that the dataclass refuses.
    """
    return _read(type(original), original, vars(arguments), "")


def given_names(kind: type, arguments: argparse.Namespace) -> dict[str, Any]:
    """Dotted names of those options of `add_changes` that were given."""
    values = vars(arguments)
    return {name: values[name] for name in _dotted(kind, "") if name in values}


def _dotted(kind: type, prefix: str) -> Iterator[str]:
    for name, hint in _hints(kind).items():
        if dataclasses.is_dataclass(hint):
            yield from _dotted(typing.cast(type, hint), f"{prefix}{name}.")
        else:
            yield prefix + name


def _read(kind: type[T], start: T | type[T], values: dict[str, Any], prefix: str) -> T:
    """`start` is the instance to change, or the dataclass where there is none yet."""
    found = {}
    for name, hint in _hints(kind).items():
        if dataclasses.is_dataclass(hint):
            inner = hint if isinstance(start, type) else getattr(start, name)
            found[name] = _read(typing.cast(type, hint), inner, values, f"{prefix}{name}.")
        elif prefix + name in values:
            value = values[prefix + name]
            found[name] = tuple(value) if isinstance(value, list) else value
    try:
        return start(**found) if isinstance(start, type) else dataclasses.replace(start, **found)  # type: ignore[type-var]
    except ConfigError as error:
        raise ConfigError(f"{prefix[:-1]}: {error}" if prefix else str(error)) from None


def _hints(kind: type) -> dict[str, Any]:
    """Types of the fields by name."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _add(
    parser: argparse.ArgumentParser,
    kind: type,
    prefix: str,
    *,
    opposites: bool,
    without: tuple[str, ...],
) -> None:
    place: Any = parser.add_argument_group(prefix[:-1], summary(kind)) if prefix else parser
    hints, helps = _hints(kind), field_helps(kind)
    for field in dataclasses.fields(kind):
        name, hint = prefix + field.name, hints[field.name]
        if dataclasses.is_dataclass(hint):
            _add(parser, typing.cast(type, hint), f"{name}.", opposites=opposites, without=without)
        elif name not in without:
            keywords = {**_keywords(hint), **field.metadata}
            if field.default is dataclasses.MISSING and not keywords.get("positional"):
                keywords["required"] = True
            strings = _strings(name, hint is bool and opposites)
            action = _declare(place, name, strings, keywords)
            _explain(action, helps.get(field.name, ""), field.default)


def _declare(
    place: Any, name: str, strings: list[str], keywords: dict[str, Any]
) -> argparse.Action:
    if keywords.pop("positional", False):
        return typing.cast(argparse.Action, place.add_argument(name, **keywords))
    added = place.add_argument(*strings, dest=name, default=argparse.SUPPRESS, **keywords)
    return typing.cast(argparse.Action, added)


def _strings(name: str, with_opposite: bool) -> list[str]:
    """The option's name, and its `--no-` form where it has one."""
    above, dot, last = name.replace("_", "-").rpartition(".")
    return [f"--{above}{dot}{last}", *([f"--{above}{dot}no-{last}"] if with_opposite else [])]


def _explain(action: argparse.Action, text: str, default: Any) -> None:
    """Set the help, whose default an `Original` may replace."""
    text = text.rstrip(".").replace("%", "%%")
    if default is dataclasses.MISSING:
        action.help = text
        return
    action.help = f"{text} (default: %(shown)s)"
    _show(action, default)


def _show(action: argparse.Action, value: Any) -> None:
    parts = value if isinstance(value, tuple) else [value]
    vars(action)["shown"] = " ".join(map(_written, parts)) or "none"


def _written(value: Any) -> str:
    if value is None or value == "":
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _leaves(instance: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Values of an instance by dotted name."""
    for name, value in vars(instance).items():
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


class _Switch(argparse.Action):
    """True by its name, False by the one that begins with `no-`."""

    def __init__(self, option_strings: list[str], dest: str, **keywords: Any) -> None:
        super().__init__(option_strings, dest, 0, **keywords)

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        """Set it."""
        setattr(namespace, self.dest, option_string == self.option_strings[0])


def _keywords(hint: Any) -> dict[str, Any]:
    """Arguments of `add_argument` for a type."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is bool:
        return {"action": _Switch}
    if origin is Literal:
        return {"choices": inner}
    if origin is tuple:
        return {**_keywords_of_value(inner[0]), "nargs": "*" if inner[-1] is ... else len(inner)}
    if origin in (typing.Union, types.UnionType):
        return _keywords_or_none(next(each for each in inner if each is not type(None)))
    return _keywords_of_value(hint)


def _keywords_of_value(hint: Any) -> dict[str, Any]:
    if hint is bool:
        return {"type": _truth, "metavar": "{true,false}"}
    if typing.get_origin(hint) is Literal:
        return _keywords(hint)
    return {"type": hint, "metavar": _METAVARS[hint]}


def _keywords_or_none(hint: Any) -> dict[str, Any]:
    told = _keywords_of_value(hint)
    convert = told["type"]

    def value_or_none(text: str) -> Any:
        return None if text.lower() == "none" else convert(text)

    value_or_none.__name__ = getattr(convert, "__name__", "value")  # argparse's messages have it
    return {"type": value_or_none, "metavar": f"{told['metavar']}|none"}


def _truth(text: str) -> bool:
    try:
        return _TRUTH[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false") from None
