from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine
from runtime.backends.registry import BackendInfo, ChunkOutputs, SessionOptions, open_session
from runtime.bundle import Bundle, ExitSpec, HaltingSpec
from runtime.errors import (
    BackendError,
    BundleIntegrityError,
    EngineStateError,
    InputError,
    PolicyError,
)
from spikehalt.errors import ConfigError
from tests.runtime.conftest import MakeBundle
from tests.runtime.toy import toy_manifest, toy_reference

Images = NDArray[np.uint8]


@pytest.mark.parametrize("chunk", [1, 2, 4])
@pytest.mark.parametrize("kind", ["image", "frames"])
def test_all_timesteps_equal_the_reference(
    make_bundle: MakeBundle,
    images: Images,
    frames: NDArray[np.float32],
    chunk: int,
    kind: str,
) -> None:
    data = images if kind == "image" else frames
    bundle = make_bundle(chunk=chunk, kind=kind)
    expected = toy_reference(bundle.manifest, data, 0.3)

    with Engine(bundle, policy="never", epsilon=0.3) as engine:
        result = engine(data, live_masks=True)

    np.testing.assert_allclose(result.logits, expected["logits"][:, -1], rtol=1e-5)
    np.testing.assert_allclose(result.halt_score, expected["halt_score"][:, -1], rtol=1e-5)
    np.testing.assert_array_equal(result.live_tokens, expected["live"].sum(axis=3))
    assert result.live_masks is not None
    np.testing.assert_array_equal(np.stack(result.live_masks, 2), expected["live"])
    assert (result.timesteps == 4).all()
    assert 0 < result.live_tokens[:, :, 1].sum() < result.live_tokens[:, :, 0].sum()


@pytest.mark.parametrize("chunk", [1, 2])
@pytest.mark.parametrize(
    ("policy", "threshold"), [("halting", 1.5), ("entropy", 0.8), ("confidence", 0.6)]
)
def test_each_image_leaves_as_it_would_alone(
    make_bundle: MakeBundle, images: Images, policy: str, threshold: float, chunk: int
) -> None:
    with Engine(make_bundle(chunk=chunk), policy=policy, threshold=threshold) as engine:
        together = engine(images)
        alone = [engine(image) for image in images]

    assert len(set(together.timesteps)) > 1
    np.testing.assert_array_equal(together.timesteps, [each.timesteps[0] for each in alone])
    for row, each in zip(together, alone, strict=True):
        np.testing.assert_allclose(row.probabilities, each.probabilities[0], rtol=1e-5)
        np.testing.assert_array_equal(row.live_tokens, each[0].live_tokens)


def test_exit_happens_at_the_first_passing_timestep(bundle: Bundle, images: Images) -> None:
    scores = toy_reference(bundle.manifest, images, 0.01)["halt_score"]
    first = np.where((scores >= 1.5).any(1), (scores >= 1.5).argmax(1) + 1, 4)

    with Engine(bundle, policy="halting", threshold=1.5) as engine:
        np.testing.assert_array_equal(engine(images).timesteps, first)


def test_timesteps_not_run_have_no_live_tokens(bundle: Bundle, images: Images) -> None:
    with Engine(bundle, policy="halting", threshold=1.5) as engine:
        result = engine(images, live_masks=True)

    ran = np.arange(1, 5) <= result.timesteps[:, None]
    assert result.live_masks is not None
    np.testing.assert_array_equal(result.live_tokens[:, :, 0], ran * 4)
    np.testing.assert_array_equal(result.live_masks[0].any(axis=2), ran)


def test_event_frames_of_images_that_left_are_not_sent(
    make_bundle: MakeBundle, frames: NDArray[np.float32]
) -> None:
    bundle = make_bundle(kind="frames")
    scores = toy_reference(bundle.manifest, frames, 0.01)["halt_score"]
    threshold = float(np.median(scores[:, 2]))

    with Engine(bundle, policy="halting", threshold=threshold) as engine:
        result = engine(frames)

    last = toy_reference(bundle.manifest, frames, 0.01)["logits"]
    assert len(set(result.timesteps)) > 1
    picked = last[np.arange(len(frames)), result.timesteps - 1]
    np.testing.assert_allclose(result.logits, picked, rtol=1e-5)


def test_large_batches_are_split_without_changing_answers(bundle: Bundle, images: Images) -> None:
    with Engine(bundle, policy="halting", threshold=1.5, max_batch=5) as engine:
        split = engine(images, live_masks=True)
    with Engine(bundle, policy="halting", threshold=1.5) as engine:
        whole = engine(images, live_masks=True)

    np.testing.assert_allclose(split.logits, whole.logits, rtol=1e-6)
    np.testing.assert_array_equal(split.timesteps, whole.timesteps)
    np.testing.assert_array_equal(split.live_tokens, whole.live_tokens)
    assert len(split) == len(images)


def test_settings_can_be_changed_per_call(bundle: Bundle, images: Images) -> None:
    with Engine(bundle, policy="halting", threshold=1.5) as engine:
        base = engine(images)
        earlier = engine(images, threshold=1.0)
        fixed = engine(images, policy="never", max_timesteps=2)
        sparser = engine(images, policy="never", epsilon=0.9)
        again = engine(images)

    assert earlier.timesteps.sum() < base.timesteps.sum()
    assert (fixed.timesteps == 2).all()
    assert sparser.live_tokens.sum() < engine_total(bundle, images)
    np.testing.assert_array_equal(base.timesteps, again.timesteps)


def engine_total(bundle: Bundle, images: Images) -> int:
    with Engine(bundle, policy="never") as engine:
        return int(engine(images).live_tokens.sum())


def test_a_calibrated_bundle_exits_by_default(make_bundle: MakeBundle, images: Images) -> None:
    bundle = make_bundle(exit=ExitSpec(default="confidence", confidence=0.6, entropy=0.7))

    with Engine(bundle) as engine:
        assert engine.notice is None
        assert engine.settings.threshold == 0.6
        assert engine(images).timesteps.mean() < 4
        assert engine(images, policy="entropy").timesteps.mean() < 4


def test_an_uncalibrated_bundle_runs_never_and_says_how_to_calibrate(
    bundle: Bundle, images: Images, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "runtime"), Engine(bundle) as engine:
        result = engine(images)

    assert (result.timesteps == 4).all()
    assert "python -m runtime calibrate" in (engine.notice or "")
    assert "python -m runtime calibrate" in repr(engine)
    assert len(caplog.records) == 1
    assert "python -m runtime calibrate" in caplog.text


def test_choosing_never_oneself_needs_no_advice(bundle: Bundle) -> None:
    with Engine(bundle, policy="never") as engine:
        assert engine.notice is None


def test_the_bundle_may_be_given_as_a_path(bundle: Bundle, images: Images) -> None:
    with Engine(bundle.root) as engine, Engine(str(bundle.root)) as other:
        np.testing.assert_array_equal(engine(images).logits, other(images).logits)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"policy": "entropie"}, PolicyError, "did you mean 'entropy'"),
        ({"policy": "entropy"}, PolicyError, "python -m runtime calibrate"),
        ({"policy": "entropy", "threshold": 1.5}, ConfigError, r"not in \[0.0, 1.0\]"),
        ({"policy": "halting", "threshold": 1e39}, ConfigError, "not in"),
        ({"policy": "never", "threshold": 0.5}, PolicyError, "has no meaning"),
        ({"threshold": 0.5}, PolicyError, "has no meaning"),
        ({"epsilon": 1.0}, ConfigError, r"epsilon 1.0 is not in \[0, 1\)"),
        ({"epsilon": -0.1}, ConfigError, "epsilon -0.1"),
        ({"epsilon": float("nan")}, ConfigError, "finite number"),
        ({"epsilon": "0.1"}, ConfigError, "finite number"),
        ({"max_timesteps": 5}, ConfigError, "choose one of 1, 2, 3, 4"),
        ({"max_timesteps": 0}, ConfigError, "max_timesteps 0"),
        ({"max_timesteps": 2.0}, ConfigError, "must be an integer"),
    ],
)
def test_options_out_of_range_are_refused(
    bundle: Bundle, images: Images, options: dict[str, Any], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        Engine(bundle, **options)
    with Engine(bundle) as engine:
        with pytest.raises(error, match=message):
            engine(images, **options)
        assert len(engine(images)) == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "onxruntime"}, "did you mean 'onnxruntime'"),
        ({"max_batch": 0}, "max_batch must be a positive integer"),
        ({"threads": 0}, "threads must be a positive integer"),
        ({"threads": 999999999}, "threads 999999999 is more than 1024: pass at most the number"),
    ],
)
def test_engine_options_out_of_range_are_refused(
    bundle: Bundle, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Engine(bundle, **options)


def test_timesteps_are_multiples_of_the_chunk(make_bundle: MakeBundle) -> None:
    with pytest.raises(ConfigError, match="choose one of 2, 4"):
        Engine(make_bundle(chunk=2), max_timesteps=3)


def test_a_policy_for_one_call_does_not_take_another_policys_threshold(
    bundle: Bundle, images: Images
) -> None:
    engine = Engine(bundle, policy="halting", threshold=1.5)

    with engine, pytest.raises(PolicyError, match=r"no calibrated threshold for .*'confidence'"):
        engine(images, policy="confidence")


def test_halting_exit_needs_a_model_that_halts(make_bundle: MakeBundle, images: Images) -> None:
    bundle = make_bundle(halting=HaltingSpec(mode="none"))

    with pytest.raises(PolicyError, match=r'trained without halting .*use "entropy"'):
        Engine(bundle, policy="halting", threshold=1.0)
    with Engine(bundle, policy="entropy", threshold=0.8) as engine:
        assert (engine(images).halt_score == 0).all()


def test_masks_need_a_bundle_exported_with_them(make_bundle: MakeBundle, images: Images) -> None:
    with Engine(make_bundle(live_masks=False)) as engine:
        assert engine(images).live_masks is None
        with pytest.raises(ConfigError, match="--live-masks"):
            engine(images, live_masks=True)


def test_bad_input_leaves_the_engine_usable(bundle: Bundle, images: Images) -> None:
    with Engine(bundle) as engine:
        expected = engine(images).logits
        with pytest.raises(InputError, match="uint8"):
            engine(images.astype(np.float32))
        np.testing.assert_array_equal(engine(images).logits, expected)


def test_a_modified_graph_is_not_loaded(bundle: Bundle) -> None:
    data = bytearray((bundle.root / "next.onnx").read_bytes())
    data[-1] ^= 1
    (bundle.root / "next.onnx").write_bytes(data)

    with pytest.raises(BundleIntegrityError, match=r"next\.onnx was modified"):
        Engine(bundle.root)


def test_use_after_close_is_refused(bundle: Bundle, images: Images) -> None:
    engine = Engine(bundle)
    engine.close()
    engine.close()

    assert "closed" in repr(engine)
    with pytest.raises(EngineStateError, match="closed"):
        engine(images)


FORK = """
import os, sys
import numpy as np
from runtime import Engine
from runtime.errors import EngineStateError

images = np.zeros((2, 4, 4, 3), np.uint8)
engine = Engine(sys.argv[1])
engine(images)
child = os.fork()
if child == 0:
    try:
        engine(images)
    except EngineStateError as error:
        engine.close()
        with Engine(sys.argv[1], threads=1) as own:
            own(images)
        os._exit(42 if "fork" in str(error) else 1)
    os._exit(2)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
engine(images)
sys.exit(status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_is_told_to_make_its_own_engine(bundle: Bundle) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(bundle.root)]

    done = subprocess.run(command, cwd=Path(__file__).parents[2], timeout=60, check=False)

    assert done.returncode == 42


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("spin", [True, False])
def test_a_forked_child_may_drop_an_engine_whose_threads_are_its_parents(
    bundle: Bundle, spin: bool
) -> None:
    program = (
        "import os, sys, numpy as np\n"
        "from runtime import Engine\n"
        f"engine = Engine(sys.argv[1], threads=2, spin={spin})\n"
        "engine(np.zeros((2, 4, 4, 3), np.uint8))\n"
        "child = os.fork()\n"
        "if child:\n"
        "    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "del engine\n"
        "os._exit(43)\n"  # ONNX Runtime's own exit handlers hang in any forked child
    )
    command = [sys.executable, "-W", "ignore", "-c", program, str(bundle.root)]

    done = subprocess.run(command, cwd=Path(__file__).parents[2], timeout=60, check=False)

    assert done.returncode == 43


class FailingSession:
    """Fails at the second chunk of its first call."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.info, self.failures = inner, inner.info, 1

    def run(self, inputs: Any, states: Any, *, last: bool, masks: bool) -> ChunkOutputs:
        if states is not None and self.failures:
            self.failures -= 1
            raise BackendError("the device fell off the bus")
        step: ChunkOutputs = self.inner.run(inputs, states, last=last, masks=masks)
        return step

    def close(self) -> None:
        self.inner.close()


def test_a_failure_in_the_middle_of_a_batch_leaves_the_engine_usable(
    bundle: Bundle, images: Images
) -> None:
    session = FailingSession(open_session("auto", bundle, SessionOptions()))
    with Engine(bundle) as reference:
        expected = reference(images).logits
    with Engine(bundle, backend=session) as engine:
        with pytest.raises(BackendError, match="fell off"):
            engine(images)
        np.testing.assert_array_equal(engine(images).logits, expected)


class OddSession:
    """Answers with arrays given to it."""

    def __init__(self, **outputs: Any) -> None:
        self.outputs = outputs
        self.info = BackendInfo(name="odd", version="1", device="none")

    def run(self, inputs: Any, states: Any, *, last: bool, masks: bool) -> ChunkOutputs:
        rows = len(inputs["image"])
        outputs = {
            "logits": np.zeros((rows, 3), np.float32),
            "halt_score": np.zeros(rows, np.float32),
            "live_tokens": np.zeros((rows, 1, 2), np.int32),
        }
        return ChunkOutputs(**{**outputs, **self.outputs})

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"logits": np.zeros((12, 5), np.float32)}, "contradict the manifest"),
        ({"live_tokens": np.zeros((12, 1, 3), np.int32)}, "contradict the manifest"),
        (
            {"logits": np.full((12, 3), np.nan, np.float32)},
            "after timestep 1; fp32 overflows only",
        ),
        ({"halt_score": np.full(12, np.inf, np.float32)}, "NaN or infinity"),
    ],
)
def test_impossible_outputs_are_a_backend_error(
    images: Images, outputs: dict[str, Any], message: str
) -> None:
    session: Any = OddSession(**outputs)

    engine = Engine(toy_manifest(), backend=session)

    with engine, pytest.raises(BackendError, match=message):
        engine(images, max_timesteps=1)


def test_a_manifest_alone_needs_a_session() -> None:
    with pytest.raises(ConfigError, match="ReplaySession"):
        Engine(toy_manifest())


def test_threads_get_the_answers_they_would_get_alone(bundle: Bundle, images: Images) -> None:
    wrong: list[int] = []
    with Engine(bundle, policy="halting", threshold=1.5) as engine:
        expected = [engine(images[: n + 1]).logits for n in range(6)]

        def call(seed: int) -> None:
            for n in np.random.default_rng(seed).integers(0, 6, 30):
                if not np.array_equal(engine(images[: n + 1]).logits, expected[n]):
                    wrong.append(int(n))

        threads = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert not wrong


def test_recording_keeps_every_exit_point(make_bundle: MakeBundle, images: Images) -> None:
    bundle = make_bundle(chunk=2)
    expected = toy_reference(bundle.manifest, images, 0.2)

    with Engine(bundle, max_batch=5) as engine:
        recording = engine.record(images, epsilon=0.2)

    np.testing.assert_allclose(recording.logits, expected["logits"][:, 1::2], rtol=1e-5)
    np.testing.assert_allclose(recording.halt_score, expected["halt_score"][:, 1::2], rtol=1e-5)
    np.testing.assert_array_equal(recording.live_tokens, expected["live"].sum(axis=3))
