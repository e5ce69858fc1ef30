"""Native ops are used where they are and fit, and never needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from plugins.libraries import FOLDER_VARIABLE, ONNXRUNTIME_NAME
from runtime import Engine
from runtime.backends.onnxruntime import native_ops
from runtime.backends.onnxruntime.native_ops import choose_native_ops
from runtime.errors import BackendMissingError
from tests.fakes.bundles import write_small_bundle

SOAK_IMAGES = int(os.environ.get("SPIKEHALT_SOAK_IMAGES", "20000"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where libraries are looked for; empty."""
    path = tmp_path / "libraries"
    path.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(path))
    return path


def choose(wanted: bool | None, device: str = "cpu", precision: str = "fp32"):  # type: ignore[no-untyped-def]
    return choose_native_ops(onnxruntime, wanted=wanted, device=device, precision=precision)


def test_the_file_name_is_the_builders() -> None:
    assert native_ops.LIBRARY == ONNXRUNTIME_NAME


def test_without_the_library_bodies_run_and_info_says_how_to_get_it(
    tmp_path: Path, folder: Path
) -> None:
    with Engine(write_small_bundle(tmp_path, "packed")) as engine:
        said = engine.info.options["native ops"]
    assert said.startswith("none: ") and "python -m plugins build" in said


@pytest.mark.parametrize("layout", ["packed", "dense"])
def test_the_engine_uses_what_was_built_and_answers_the_same(
    tmp_path: Path, folder: Path, native_library: Path, layout: str
) -> None:
    bundle = write_small_bundle(tmp_path, layout)
    shutil.copy(native_library, folder)
    shape = (5, bundle.manifest.input.height, bundle.manifest.input.width, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with Engine(bundle) as with_ops, Engine(bundle, native_ops=False) as without:
        assert with_ops.info.options["native ops"] == str(folder / ONNXRUNTIME_NAME)
        assert without.info.options["native ops"] == "not wanted"
        found, expected = with_ops(images), without(images)
    np.testing.assert_array_equal(found.live_tokens, expected.live_tokens)
    np.testing.assert_array_equal(found.timesteps, expected.timesteps)
    np.testing.assert_allclose(found.logits, expected.logits, atol=1e-5)


def test_a_file_that_is_no_library_is_left_out_with_the_reason(folder: Path) -> None:
    (folder / ONNXRUNTIME_NAME).write_bytes(b"not a library")
    chosen = choose(None)
    assert chosen.path is None and f"refuses {folder / ONNXRUNTIME_NAME}" in chosen.why
    with pytest.raises(BackendMissingError, match=r"cannot be used: ONNX Runtime .* refuses"):
        choose(True)


def test_wanted_ops_that_are_missing_are_an_error_that_says_what_to_do(folder: Path) -> None:
    with pytest.raises(BackendMissingError, match="does not exist: build them with"):
        choose(True)


@pytest.mark.parametrize(
    ("device", "precision", "reason"),
    [("cuda", "fp32", "for device 'cpu'"), ("cpu", "fp16", "no float16")],
)
def test_where_they_do_not_fit_they_are_left_out(
    folder: Path, native_library: Path, device: str, precision: str, reason: str
) -> None:
    shutil.copy(native_library, folder)
    chosen = choose(None, device, precision)
    assert chosen.path is None and reason in chosen.why


def test_an_onnx_runtime_that_is_too_old_keeps_the_bodies(folder: Path) -> None:
    (folder / ONNXRUNTIME_NAME).touch()

    class Options:
        def register_custom_ops_library(self, path: str) -> None:
            raise RuntimeError("ONNX Runtime 1.20 is too old")

    old = SimpleNamespace(SessionOptions=Options, __version__="1.20.1")
    chosen = choose_native_ops(old, wanted=None, device="cpu", precision="int8")
    assert chosen.path is None and chosen.why.endswith("1.20 is too old")


def test_calls_from_many_threads_answer_as_alone(
    tmp_path: Path, folder: Path, native_library: Path
) -> None:
    bundle = write_small_bundle(tmp_path, "packed", precision="int8")
    shutil.copy(native_library, folder)
    spec, rng = bundle.manifest.input, np.random.default_rng(0)
    batches = [
        rng.integers(0, 256, (size, spec.height, spec.width, 3), np.uint8) for size in (1, 2, 5)
    ]
    with Engine(bundle, native_ops=True, policy="entropy", threshold=0.9) as engine:
        alone = [engine(images) for images in batches]

        def call(number: int) -> bool:
            found, wanted = engine(batches[number % 3]), alone[number % 3]
            same = (found.live_tokens == wanted.live_tokens).all()
            return bool(same and (found.logits == wanted.logits).all())

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(call, range(400)))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux' /proc")
def test_a_long_run_keeps_its_memory(tmp_path: Path, folder: Path, native_library: Path) -> None:
    """Batches of 1 to 64, so that live rows and what is allocated for them change all the time."""
    bundle = write_small_bundle(tmp_path, "packed", precision="int8")
    shutil.copy(native_library, folder)
    command = [sys.executable, "-m", "tests.runtime.soak", str(bundle.root), str(SOAK_IMAGES // 4)]
    root = Path(__file__).parents[4]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 5
