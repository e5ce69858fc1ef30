from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from runtime.errors import BundleFormatError
from runtime.strict import build, parse_json


@dataclass(frozen=True)
class Inner:
    size: int


@dataclass(frozen=True)
class Outer:
    name: str
    colour: Literal["red", "green"]
    ratio: float
    flag: bool
    inner: Inner
    items: tuple[int, ...]
    table: dict[str, Inner]
    maybe: float | None = None
    free: dict[str, Any] = field(default_factory=dict)


GOOD: dict[str, Any] = {
    "name": "a",
    "colour": "red",
    "ratio": 1,
    "flag": True,
    "inner": {"size": 3},
    "items": [1, 2],
    "table": {"x": {"size": 4}},
}


def test_builds_nested_dataclasses_and_converts_only_int_to_float() -> None:
    outer = build(Outer, GOOD, "file")

    assert outer.inner == Inner(3) and outer.table == {"x": Inner(4)}
    assert outer.items == (1, 2)
    assert isinstance(outer.ratio, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nmae": "a"}, "file has unknown key 'nmae'; did you mean 'name'?"),
        ({"name": 3}, "file.name must be a string, not int '3'"),
        ({"colour": "gren"}, "file.colour has unknown value 'gren'; did you mean 'green'?"),
        ({"ratio": "1"}, "file.ratio must be a number, not str '1'"),
        ({"ratio": True}, "file.ratio must be a number, not true"),
        ({"flag": 1}, "file.flag must be true or false, not int '1'"),
        ({"inner": {"size": 1.0}}, "file.inner.size must be an integer, not float '1.0'"),
        ({"inner": []}, "file.inner must be an object, not a list"),
        ({"inner": {}}, "file.inner lacks the key 'size'"),
        ({"items": [1, True]}, r"file.items\[1\] must be an integer, not true"),
        ({"items": "12"}, "file.items must be a list"),
        ({"table": {"x": {"size": 2**60}}}, "file.table.x.size must be an integer"),
        ({"maybe": "no"}, "file.maybe must be a number"),
    ],
)
def test_refuses_unknown_and_mistyped_keys(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleFormatError, match=message):
        build(Outer, {**GOOD, **change}, "file")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "must hold a JSON object, not a list"),
        ('{"a": 1, "a": 2}', "key 'a' appears twice"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
    ],
)
def test_refuses_what_is_not_plain_json(text: str, message: str) -> None:
    with pytest.raises(BundleFormatError, match=message):
        parse_json(text, "file")


def test_infinity_written_as_a_large_number_is_refused() -> None:
    data = parse_json('{"size": 1, "deep": {"x": 1e999}}', "file")

    with pytest.raises(BundleFormatError, match="finite"):
        build(Outer, {**GOOD, "free": data}, "file")


def test_free_form_json_is_kept_but_not_endlessly_deep() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"x": deep}

    assert build(Outer, {**GOOD, "free": {"a": [1, None]}}, "file").free == {"a": [1, None]}
    with pytest.raises(BundleFormatError, match="levels deep"):
        build(Outer, {**GOOD, "free": deep}, "file")
