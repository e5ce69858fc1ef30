"""Attributes of ops: their types, defaults and ranges, and the check of a value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from plugins.errors import PluginError

AttributeValue = float | int | str | tuple[int, ...]


class OpAttributeError(PluginError, ValueError):
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

    def checked(self, name: str, value: AttributeValue | None) -> AttributeValue:
        """Return `value`, or the default, in the attribute's own type.

        Args:
            name: op and attribute, for the message: `LIF attribute 'decay'`.
            value: floats may be given as ints, tuples as lists; None takes the default.

        Raises:
            OpAttributeError: no value, or one of a wrong type or range.
        """
        if value is None:
            value = self.default
        if value is None:
            raise OpAttributeError(f"{name} must be given ({self.type.__name__}).")
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if self.type is tuple:
            return self._checked_ints(name, value)
        if not isinstance(value, self.type) or isinstance(value, bool):
            raise OpAttributeError(f"{name} must be {self.type.__name__}, got {value!r}.")
        self._check_range(name, value)
        return value

    def _checked_ints(self, name: str, value: AttributeValue) -> tuple[int, ...]:
        """Return one or more integers as a tuple, or raise `OpAttributeError`."""
        given = tuple(value) if isinstance(value, (tuple, list)) else ()
        if not given or any(type(each) is not int for each in given):
            raise OpAttributeError(f"{name} must be integers, got {value!r}.")
        for each in given:
            self._check_range(name, each)
        return given

    def _check_range(self, name: str, value: AttributeValue) -> None:
        """Raise `OpAttributeError` for a value that is not finite, not a choice or too small."""
        if self.choices and value not in self.choices:
            allowed = ", ".join(map(repr, self.choices))
            raise OpAttributeError(f"{name} must be one of {allowed}; got {value!r}.")
        if isinstance(value, (str, tuple)):
            return
        if not math.isfinite(value):
            raise OpAttributeError(f"{name} must be finite, got {value!r}.")
        if value < self.minimum:
            raise OpAttributeError(f"{name} must be at least {self.minimum:g}, got {value!r}.")
