from __future__ import annotations

import dataclasses

import pytest

from train.cli.options.helps import field_helps, summary
from train.config import (
    AugmentConfig,
    DataConfig,
    HaltingConfig,
    LIFConfig,
    LossConfig,
    ModelConfig,
    PhaseConfig,
    StemConfig,
    TrainConfig,
)


class Wide:
    """A summary of
    two lines.

    More about it.

    Attributes:
        first: begins here: and goes on,
            indented: here.
        second: one line.
    """


def test_texts_of_several_lines_are_joined() -> None:
    assert summary(Wide) == "A summary of two lines."
    assert field_helps(Wide) == {
        "first": "begins here: and goes on, indented: here.",
        "second": "one line.",
    }


@pytest.mark.parametrize(
    "kind",
    [
        TrainConfig, ModelConfig, StemConfig, LIFConfig, HaltingConfig, DataConfig, AugmentConfig,
        PhaseConfig, LossConfig,
    ],
)  # fmt: skip
def test_every_key_of_the_configuration_is_explained(kind: type) -> None:
    keys = [f.name for f in dataclasses.fields(kind) if not dataclasses.is_dataclass(f.type)]
    nested = {"model", "data", "static", "halting", "loss", "stem", "lif", "drop", "augment"}
    assert set(keys) - nested <= field_helps(kind).keys() | {"mode"}
