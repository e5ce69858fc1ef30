"""Odd arguments to the engine and on the command line."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes
from numpy.typing import NDArray

from runtime import Engine, SpikehaltError
from runtime.bundle import write_bundle
from runtime.cli import COMMANDS, main
from tests.runtime.fuzz.conftest import fuzz
from tests.runtime.toy import SIDE, toy_files, toy_manifest

NUMBERS = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(), st.text(max_size=3), st.just(2**99)
)
POLICIES = st.one_of(
    st.none(), st.sampled_from(["never", "halting", "entropy", "confidence"]), st.text(max_size=9)
)
IMAGES = st.one_of(
    arrays(np.uint8, st.tuples(st.integers(0, 4), st.just(SIDE), st.just(SIDE), st.just(3))),
    arrays(scalar_dtypes(), array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)),
    st.none(),
    st.lists(st.integers(), max_size=3),
    st.text(max_size=3),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calls")
    write_bundle(path / "toy.bundle", toy_manifest(), toy_files(toy_manifest()))
    return path


def test_calls(place: Path) -> None:
    good: NDArray[np.uint8] = np.full((1, SIDE, SIDE, 3), 90, np.uint8)
    with Engine(place / "toy.bundle", policy="halting", threshold=1.5, threads=1) as engine:
        expected = engine(good).logits

        @fuzz("call")
        @given(images=IMAGES, policy=POLICIES, threshold=NUMBERS, epsilon=NUMBERS, steps=NUMBERS)
        def check(images: Any, policy: Any, threshold: Any, epsilon: Any, steps: Any) -> None:
            options = {"policy": policy, "threshold": threshold, "epsilon": epsilon}
            try:
                result = engine(images, **options, max_timesteps=steps)
            except SpikehaltError as error:
                assert 0 < len(str(error)) < 1000
            else:
                assert len(result) == (1 if images.ndim == 3 else len(images))
                assert np.isfinite(result.probabilities).all()

        check()
        np.testing.assert_array_equal(engine(good).logits, expected)


PATHS = ["toy.bundle", "toy.bundle/first.onnx", "missing", "."]
VALUES = ["never", "entropy", "0.5", "nan", "-1", "2", "0.9", "5%", "onnxruntime", "tpu", "0"]
FLAGS = ["--json", "--batch", "--policy", "--threshold", "--epsilon", "--max-timesteps", "--split"]
MORE = ["--images", "--count", "--rounds", "--confidence", "--max-drop", "--dry-run", "--key"]
WORDS = st.text(max_size=6) | st.sampled_from(
    [*PATHS, *VALUES, *FLAGS, *MORE, "--public-key", "--backend"]
)


def test_command_lines(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)

    @fuzz("cli")
    @given(st.sampled_from([*COMMANDS, "", "--help"]), st.lists(WORDS, max_size=7))
    def check(command: str, words: list[str]) -> None:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main([command, *words])
            except SystemExit as stop:
                status = int(stop.code or 0)
        assert status in (0, 1, 2)
        assert "Traceback" not in err.getvalue()
        assert status == 0 or err.getvalue()

    check()
