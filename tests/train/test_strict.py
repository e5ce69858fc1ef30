from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from train.config import ModelConfig, TrainConfig
from train.errors import ConfigError
from train.strict import from_dict, to_dict


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    kind: Literal["one", "two"] = "one"


@dataclass(frozen=True)
class Outer:
    count: int = 1
    flag: bool = False
    reset: float | None = 0.0
    size: tuple[int, int] = (1, 2)
    means: tuple[float, ...] = (0.5,)
    inner: Inner = field(default_factory=Inner)


def test_missing_keys_take_their_defaults() -> None:
    assert from_dict(Outer, {"inner": {"kind": "two"}}) == Outer(inner=Inner(kind="two"))


def test_what_is_written_reads_back() -> None:
    config = Outer(3, True, None, (4, 5), (0.1, 0.2, 0.3), Inner(2.0, "two"))
    assert from_dict(Outer, to_dict(config)) == config


def test_whole_training_configuration_reads_back() -> None:
    assert from_dict(TrainConfig, to_dict(TrainConfig())) == TrainConfig()


def test_an_integer_is_taken_as_a_float() -> None:
    value = from_dict(Outer, {"inner": {"rate": 2}}).inner.rate
    assert value == 2.0 and isinstance(value, float)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"cuont": 2}, r"unknown key 'cuont'; did you mean 'count'\?"),
        ({"inner": {"raet": 2}}, r"unknown key 'inner.raet'; did you mean 'inner.rate'\?"),
        ({"xyz": 2}, "no key has a similar name. Valid keys: count, flag"),
        ({"count": "2"}, r"count must be of type int, got '2' \(str\)"),
        ({"count": True}, "count must be of type int, got True"),
        ({"flag": 1}, "flag must be of type bool"),
        (
            {"inner": {"kind": "tow"}},
            "inner.kind is 'tow', must be one of 'one', 'two'. Did you mean",
        ),
        ({"size": [1]}, "size must have 2 values, got 1"),
        ({"size": 3}, "size must be a list"),
        ({"means": [0.1, "x"]}, r"means\[1\] must be of type float"),
        ({"inner": 3}, "inner must be a mapping"),
        ({"reset": "none"}, "reset must be of type float"),
    ],
)
def test_what_is_not_declared_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_dict(Outer, data)


def test_a_refused_value_names_the_part_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"model\.lif: tau is 0\.5, must be > 1"):
        from_dict(TrainConfig, {"model": {"lif": {"tau": 0.5}}})


def test_a_list_is_not_a_configuration() -> None:
    with pytest.raises(ConfigError, match="must be a mapping"):
        from_dict(ModelConfig, [1, 2])  # type: ignore[arg-type]
