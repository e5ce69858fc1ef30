from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from runtime.errors import BundleFormatError
from spikehalt.errors import ConfigError
from spikehalt.strict import build, differences, parse_json, to_dict
from train.config import ModelConfig, TrainConfig


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
        build(Outer, {**GOOD, **change}, "file", BundleFormatError)


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
        parse_json(text, "file", BundleFormatError)


def test_infinity_written_as_a_large_number_is_refused() -> None:
    data = parse_json('{"size": 1, "deep": {"x": 1e999}}', "file")

    with pytest.raises(BundleFormatError, match="finite"):
        build(Outer, {**GOOD, "free": data}, "file", BundleFormatError)


def test_free_form_json_is_kept_but_not_endlessly_deep() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"x": deep}

    assert build(Outer, {**GOOD, "free": {"a": [1, None]}}, "file").free == {"a": [1, None]}
    with pytest.raises(BundleFormatError, match="levels deep"):
        build(Outer, {**GOOD, "free": deep}, "file", BundleFormatError)


@dataclass(frozen=True)
class Part:
    rate: float = 0.5
    kind: Literal["one", "two"] = "one"


@dataclass(frozen=True)
class Whole:
    count: int = 1
    flag: bool = False
    reset: float | None = 0.0
    size: tuple[int, int] = (1, 2)
    means: tuple[float, ...] = (0.5,)
    inner: Part = field(default_factory=Part)


def test_missing_keys_take_their_defaults() -> None:
    assert build(Whole, {"inner": {"kind": "two"}}) == Whole(inner=Part(kind="two"))


def test_what_is_written_reads_back() -> None:
    config = Whole(3, True, None, (4, 5), (0.1, 0.2, 0.3), Part(2.0, "two"))
    assert build(Whole, to_dict(config)) == config


def test_whole_training_configuration_reads_back() -> None:
    assert build(TrainConfig, to_dict(TrainConfig())) == TrainConfig()


def test_an_integer_is_taken_as_a_float() -> None:
    value = build(Whole, {"inner": {"rate": 2}}).inner.rate
    assert value == 2.0 and isinstance(value, float)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"cuont": 2}, r"unknown key 'cuont'; did you mean 'count'\?"),
        ({"inner": {"raet": 2}}, r"inner has unknown key 'raet'; did you mean 'rate'\?"),
        ({"xyz": 2}, r"configuration has unknown key 'xyz' \(valid: count, flag"),
        ({"count": "2"}, "count must be an integer, not str '2'"),
        ({"count": True}, "count must be an integer, not true"),
        ({"flag": 1}, "flag must be true or false"),
        (
            {"inner": {"kind": "tow"}},
            "inner.kind has unknown value 'tow'; did you mean 'two'",
        ),
        ({"size": [1]}, "size must have 2 values, not 1"),
        ({"size": 3}, "size must be a list"),
        ({"means": [0.1, "x"]}, r"means\[1\] must be a number"),
        ({"inner": 3}, "inner must be an object"),
        ({"reset": "none"}, "reset must be a number"),
    ],
)
def test_what_is_not_declared_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(Whole, data)


def test_a_refused_value_names_the_part_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"model\.lif: tau is 0\.5, must be > 1"):
        build(TrainConfig, {"model": {"lif": {"tau": 0.5}}})


def test_a_list_is_not_a_configuration() -> None:
    with pytest.raises(ConfigError, match="configuration must be an object, not a list"):
        build(ModelConfig, [1, 2])


def test_differences_are_named_by_dotted_keys() -> None:
    before = {"a": 1, "b": {"c": [1], "d": {"e": None}}, "gone": 2}
    now = {"a": 1, "b": {"c": [2], "d": {"e": "x"}}, "new": 2}
    assert differences(before, now) == {"b.c": [[1], [2]], "b.d.e": [None, "x"]}
    assert differences(now, now) == {}
