"""Threads, long runs, and bundles that change under an open engine.

SPIKEHALT_CALLS (per thread) and SPIKEHALT_SOAK_IMAGES make the runs longer; a nightly run takes
10,000 and 200,000.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine
from runtime.bundle import Bundle, write_bundle
from runtime.errors import BackendError, BundleError, EngineStateError
from tests.runtime.conftest import MakeBundle
from tests.runtime.toy import toy_files, toy_manifest

CALLS = int(os.environ.get("SPIKEHALT_CALLS", "40"))
SOAK_IMAGES = int(os.environ.get("SPIKEHALT_SOAK_IMAGES", "20000"))
Images = NDArray[np.uint8]

WAYS: list[dict[str, Any]] = [
    {"policy": "never"},
    {"policy": "halting", "threshold": 1.5},
    {"policy": "entropy", "threshold": 0.8},
    {"policy": "confidence", "threshold": 0.6, "epsilon": 0.4},
    {"policy": "never", "max_timesteps": 2},
]


def test_eight_threads_with_mixed_sizes_and_policies_get_single_thread_answers(
    bundle: Bundle, images: Images
) -> None:
    wrong: list[str] = []
    with Engine(bundle, threads=1) as engine:
        cases = [(images[: 1 + n], way) for n in range(5) for way in WAYS]
        expected = [engine(data, **way) for data, way in cases]

        def call(seed: int) -> None:
            for pick in np.random.default_rng(seed).integers(0, len(cases), CALLS):
                data, way = cases[pick]
                answer, right = engine(data, **way), expected[pick]
                same = np.array_equal(answer.logits, right.logits)
                if not (same and np.array_equal(answer.live_tokens, right.live_tokens)):
                    wrong.append(f"case {pick}")

        threads = [threading.Thread(target=call, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert engine.stats.calls == len(cases) + 8 * CALLS

    assert wrong == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux' /proc")
def test_a_long_run_keeps_its_memory(bundle: Bundle) -> None:
    command = [sys.executable, "-m", "tests.runtime.soak", str(bundle.root), str(SOAK_IMAGES)]

    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )

    assert float(done.stdout) < 5.0


def test_an_open_engine_does_not_notice_a_replaced_bundle(
    make_bundle: MakeBundle, images: Images
) -> None:
    bundle = make_bundle()
    with Engine(bundle.root) as engine:
        before = engine(images)
        make_bundle(chunk=2, producer="another")
        np.testing.assert_array_equal(engine(images).logits, before.logits)
        with Engine(bundle.root) as fresh:
            assert fresh.manifest.chunk == 2


def test_an_open_engine_outlives_its_bundle(bundle: Bundle, images: Images) -> None:
    with Engine(bundle.root) as engine:
        before = engine(images)
        shutil.rmtree(bundle.root)
        np.testing.assert_array_equal(engine(images).logits, before.logits)
    with pytest.raises(BundleError, match="does not exist"):
        Engine(bundle.root)


def test_readers_see_one_whole_bundle_or_the_other_while_it_is_replaced(tmp_path: Path) -> None:
    versions = [toy_manifest(chunk=chunk, producer=f"chunk {chunk}") for chunk in (1, 2)]
    path, stop, problems = tmp_path / "a.bundle", threading.Event(), []
    write_bundle(path, versions[0], toy_files(versions[0]))

    def write() -> None:
        while not stop.is_set():
            for manifest in versions:
                write_bundle(path, manifest, toy_files(manifest))

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(100):
        try:
            manifest = Bundle.open(path).manifest
            assert manifest.producer == f"chunk {manifest.chunk}"
        except BundleError as error:  # two files read from different versions
            problems.append(str(error))
    stop.set()
    writer.join()

    assert Bundle.open(path).manifest.producer in ("chunk 1", "chunk 2")
    assert not any("does not exist" in problem for problem in problems)


def test_closing_during_a_call_fails_that_call_only_with_a_documented_error(
    bundle: Bundle, images: Images
) -> None:
    outcomes: list[str] = []
    engine = Engine(bundle, threads=1)
    started = threading.Event()

    def call() -> None:
        try:
            while True:
                engine(images)
                started.set()
        except (BackendError, EngineStateError) as error:
            outcomes.append(type(error).__name__)

    thread = threading.Thread(target=call)
    thread.start()
    assert started.wait(10)
    engine.close()
    thread.join(10)

    assert outcomes == ["EngineStateError"]
