"""Whatever the Python interface is given ends in an answer or in one of its own errors."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Bundle, Engine, SpikehaltError
from runtime.bundle import InputSpec
from runtime.early_exit.stream import frames_of
from runtime.errors import BundleIntegrityError, ConfigError, EngineStateError, InputError
from runtime.inputs.check import check_inputs
from runtime.opening import processors

ODD: tuple[Any, ...] = (3, 1.5, [], {}, b"x", object(), float("nan"), -1, "", 10**30, np.zeros(2))
GREY = InputSpec(kind="image", height=8, width=8, channels=1)


@pytest.mark.parametrize(
    "name",
    [
        "backend", "policy", "threshold", "epsilon", "max_timesteps", "latency_ms", "energy_mj",
        "max_batch", "threads", "spin", "device", "native_ops", "public_key", "submit_wait_ms",
        "energy_sensor",
    ],
)  # fmt: skip
def test_odd_arguments_of_an_engine(name: str, bundle: Bundle) -> None:
    refused = 0
    for value in ODD:
        try:
            Engine(bundle.root, **{"threads": 1, name: value}).close()
        except SpikehaltError:
            refused += 1
    assert refused >= len(ODD) - 5


@pytest.mark.parametrize("odd", [None, 3, b"x", object(), ["x"], "", "\0", "x" * 5000])
def test_odd_bundles(odd: Any) -> None:
    with pytest.raises(SpikehaltError):
        Engine(odd)


@pytest.mark.parametrize("name", ["prepare", "batch", "queue", "drop"])
def test_odd_arguments_of_a_stream(name: str, bundle: Bundle) -> None:
    with Engine(bundle.root, threads=1) as engine:
        for value in (1.5, float("nan"), [], 0, "x"):
            with pytest.raises(SpikehaltError):
                list(engine.stream([np.zeros((4, 4, 3), np.uint8)], **{name: value}))


class Foreign:
    """As arrays of a device behave."""

    def __array__(self, *_: Any, **__: Any) -> None:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")


class OnADevice:
    """As a DLPack capsule of a GPU."""

    def __dlpack__(self, *_: Any, **__: Any) -> None:
        raise BufferError("the tensor lies on another device")

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0


@pytest.mark.parametrize(
    "thing",
    [Foreign(), OnADevice(), [1, 2], None, "x", b"x", np.ma.masked_array(np.zeros(3), [0, 1, 0])],
)
def test_foreign_objects_that_cannot_be_converted_say_what_to_call(thing: Any) -> None:
    with pytest.raises(InputError):
        check_inputs(GREY, thing)


def test_foreign_tensors_say_what_to_call() -> None:
    torch = pytest.importorskip("torch")
    for thing in (
        torch.zeros(1, 8, 8, 1, requires_grad=True),
        torch.zeros(1, 8, 8, 1, dtype=torch.bfloat16),
        torch.zeros(1, 8, 8, 1, dtype=torch.uint8, device="meta"),
    ):
        with pytest.raises(InputError, match=r"detach\(\).cpu\(\).numpy\(\)|dtype"):
            check_inputs(GREY, thing)
    assert check_inputs(GREY, torch.zeros(1, 8, 8, 1, dtype=torch.uint8)).shape == (1, 8, 8, 1)


def test_memory_and_pictures_are_taken() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    image = pytest.importorskip("PIL.Image").fromarray(pixels[0, ..., 0])

    assert (check_inputs(GREY, memoryview(pixels)) == pixels).all()
    with pytest.raises(InputError, match="add a channel axis"):
        check_inputs(GREY, image)


@pytest.mark.parametrize("shape", [(8, 8), (20, 8, 8)])
def test_grey_images_without_a_channel_axis_are_told_to_add_it(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="add a channel axis"):
        check_inputs(GREY, np.zeros(shape, np.uint8))


class Capture:
    """As OpenCV's: so many frames; `closes` when they are over."""

    def __init__(self, frames: int, *, opened: bool = True, closes: bool = False) -> None:
        self.left, self.opened, self.closes = frames, opened, closes

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def read(self) -> tuple[bool, Any]:
        self.left -= 1
        self.opened = self.opened and not (self.closes and self.left < 0)
        return self.left >= 0, np.zeros((4, 4, 3), np.uint8) if self.left >= 0 else None


@pytest.mark.parametrize(
    "source",
    [
        Capture(3, opened=False),
        Capture(0),
        Capture(2, closes=True),
        iter(()),
        Path("nowhere").glob("*.png"),
        "nowhere.mp4",
        Path("nowhere.mp4"),
        __file__,
    ],
)
def test_a_source_that_cannot_be_read_is_not_an_empty_one(source: Any) -> None:
    with pytest.raises(InputError):
        list(frames_of(source))


def test_sources_that_can_be_read() -> None:
    assert len(list(frames_of(Capture(3)))) == 3
    assert list(frames_of([])) == [] and len(list(frames_of(iter([1])))) == 1


def test_more_threads_than_processors_are_noted_and_bounded(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    with Engine(bundle.root, threads=1000) as engine:
        assert engine.info.options["threads"] == processors()
    assert "1000 threads were asked for" in caplog.text


def test_an_engine_does_not_leave_its_process(bundle: Bundle) -> None:
    with Engine(bundle.root, threads=1) as engine:
        for leave in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(EngineStateError, match="make one in every process"):
                leave(engine)


def test_a_bundle_is_opened_again_where_it_is_unpickled(bundle: Bundle) -> None:
    stored = pickle.dumps(bundle)

    assert pickle.loads(stored).read("first.onnx") == bundle.read("first.onnx")
    os.utime(bundle.root / "manifest.json")
    (bundle.root / "manifest.json").write_text(
        (bundle.root / "manifest.json").read_text().replace("toy", "other")
    )
    with pytest.raises(BundleIntegrityError, match="replaced meanwhile"):
        pickle.loads(stored)


def test_submit_waits_at_most_a_minute(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="at most 60000"):
        Engine(bundle.root, submit_wait_ms=1e300)
