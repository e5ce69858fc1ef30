from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from export.engines.arguments import add_engine_arguments, engine_options
from export.engines.profiles import BatchRange
from export.engines.targets.base import EngineOptions
from export.errors import UnsupportedError


def options(*words: str) -> EngineOptions:
    parser = argparse.ArgumentParser()
    add_engine_arguments(parser)
    return engine_options(parser.parse_args(words))


def test_what_is_given_reaches_the_builder(tmp_path: Path) -> None:
    given = options(
        "--batch", "2", "--compute-capability", "8.6", "12.0", "--no-plugins",
        "--workspace", "64", "--timing-cache", str(tmp_path / "timings"),
        "--hardware-compatible", "--version-compatible",
    )  # fmt: skip
    assert given == EngineOptions(
        batch=BatchRange(2, 2, 2),
        plugins=False,
        compute_capabilities=("8.6", "12.0"),
        workspace_mib=64,
        timing_cache=tmp_path / "timings",
        hardware_compatible=True,
        version_compatible=True,
    )


@pytest.mark.parametrize("target", ["auto", "onnx", "tensorrt", "tensorrt-rtx"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch", "8:1"], "batch '8:1' is not"),
        (["--compute-capability", "banana"], "'banana' is not X.Y: .*such as 8.6"),
        (["--compute-capability", "8.6", "86"], "'86' is not X.Y"),
        (["--timing-cache", "/nope/x"], "/nope/x cannot be written: there is no folder /nope"),
        (["--timing-cache", "/"], "/ cannot be written: it is a folder"),
    ],
)
def test_values_that_are_none_are_refused_whatever_the_target(
    target: str, words: list[str], message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        options("--target", target, *words)


@pytest.mark.parametrize(
    "words",
    [
        ["--batch", "4"],
        ["--compute-capability", "8.6"],
        ["--no-plugins"],
        ["--workspace", "64"],
        ["--timing-cache", "timings"],
        ["--hardware-compatible"],
        ["--version-compatible"],
    ],
)
def test_options_of_engines_are_refused_where_none_is_built(words: list[str]) -> None:
    with pytest.raises(UnsupportedError, match=f"{words[0]} would .*target 'onnx' builds no"):
        options("--onnx-only", *words)
    options(*words)  # "auto" may yet find something to build with


def test_all_options_without_effect_are_named_at_once() -> None:
    with pytest.raises(UnsupportedError, match="--no-plugins, --workspace would have no effect"):
        options("--target", "onnx", "--no-plugins", "--workspace", "64")
