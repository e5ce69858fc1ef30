"""The TensorRT backends against ONNX Runtime, on a fake TensorRT and a fake GPU."""

from __future__ import annotations

import dataclasses
import gc
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from export.engines.build import build_engines
from export.engines.profiles import BatchRange
from export.engines.targets.base import EngineOptions
from export.engines.targets.choose import open_target
from runtime import Engine
from runtime.backends.registry import SessionOptions, open_session
from runtime.backends.tensorrt.graph import batch_buckets
from runtime.bundle.read import Bundle
from runtime.errors import BackendError, DeviceError, EngineStateError, OutOfMemoryError
from spikehalt.errors import ConfigError
from tests.export.dyadic import pictures
from tests.fakes.bundles import write_small_bundle
from tests.fakes.cuda import FakeCuda
from tests.fakes.install import install
from tests.fakes.tensorrt import World

FLAVOURS = {"tensorrt": "10.13.3.9", "tensorrt-rtx": "1.7.1.116"}
Images = NDArray[Any]


def prepared(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    layout: str = "lagged",
    *,
    flavour: str = "tensorrt",
    batch: str = "1:4:8",
    cuda: FakeCuda | None = None,
    **changes: Any,
) -> tuple[World, Bundle]:
    """A bundle with engines, and the fakes to run them."""
    world = install(monkeypatch, folder, flavour=flavour, version=FLAVOURS[flavour], cuda=cuda)
    options = EngineOptions(batch=BatchRange.parse(batch))
    bundle = write_small_bundle(folder, layout, **changes)
    return world, build_engines(bundle, open_target(flavour, options), options)


def assert_same_answers(bundle: Bundle, backend: str, data: Images, **settings: Any) -> Any:
    with Engine(bundle, threads=1, backend="onnxruntime", **settings) as engine:
        expected = engine(data)
    with Engine(bundle, backend=backend, **settings) as engine:
        for _ in range(6):  # the later ones replay graphs
            found = engine(data)
            np.testing.assert_array_equal(found.live_tokens, expected.live_tokens)
            np.testing.assert_array_equal(found.timesteps, expected.timesteps)
            np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-5, atol=1e-5)
    return expected


@pytest.mark.parametrize("batch", ["1:4:8", "8", "2:2:16"])
@pytest.mark.parametrize("layout", ["dense", "lagged"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_answers_are_those_of_onnx_runtime(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flavour: str, layout: str, batch: str
) -> None:
    world, bundle = prepared(monkeypatch, tmp_path, layout, flavour=flavour, batch=batch)
    for images in (1, 5, 11):
        assert_same_answers(bundle, flavour, pictures(images))
    assert world.cuda is not None and world.cuda.is_empty()
    assert bool(world.cuda.launched) == (flavour == "tensorrt")


def test_tensorrt_rtx_replays_cuda_graphs_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, bundle = prepared(monkeypatch, tmp_path, flavour="tensorrt-rtx")
    with Engine(bundle, backend="tensorrt-rtx") as engine:
        engine(pictures(3))
    (config, *_) = [call[1] for call in world.calls if call[0] == "create_execution_context"]
    assert config.cuda_graph_strategy.name == "WHOLE_GRAPH_CAPTURE"


def test_launches_of_changing_shapes_are_replayed_each_from_its_own_context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The fake refuses captures right after another shape, and other work in such a context."""
    world, bundle = prepared(monkeypatch, tmp_path, "dense", batch="1:4:8")
    assert world.cuda is not None
    with Engine(bundle, backend="tensorrt") as engine:
        for _ in range(8):
            for images in (3, 4, 1, 8):
                engine(pictures(images))
        contexts = sum(call[0] == "create_execution_context" for call in world.calls)
        assert len(set(world.cuda.launched)) >= 8
        assert contexts >= len(set(world.cuda.launched))
        scratch = [block for block in world.cuda.device.values() if len(block) == 4096]
        assert len(scratch) == 2, "one for each engine, however many contexts"
    assert world.cuda.is_empty()


def test_a_profile_that_cannot_be_used_is_an_error_with_the_librarys_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tests.fakes import tensorrt as fake

    _, bundle = prepared(monkeypatch, tmp_path)

    def refused(context: Any, profile_index: int, stream_handle: int) -> bool:
        context._logger.log(1, "Profile 2 has been chosen by another IExecutionContext.")
        raise RuntimeError("Error in set optimization profile.")

    monkeypatch.setattr(fake.IExecutionContext, "set_optimization_profile_async", refused)
    with (
        Engine(bundle, backend="tensorrt") as engine,
        pytest.raises(
            BackendError, match=r"cannot use profile 2 of first\.\S+: Profile 2 has been"
        ),
    ):
        engine(pictures(8))


@pytest.mark.parametrize("merging", [{"gamma": 3}, {"merge_threshold": 0.9}])
@pytest.mark.parametrize("layout", ["dense", "lagged"])
@pytest.mark.parametrize("chunk", [1, 2])
def test_images_leave_one_by_one_as_with_onnx_runtime(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    layout: str,
    chunk: int,
    merging: dict[str, Any],
) -> None:
    _, bundle = prepared(monkeypatch, tmp_path, layout, chunk=chunk, **merging)
    with Engine(bundle, threads=1, backend="onnxruntime") as engine:
        scores = engine.record(pictures(8)).halt_score
    threshold = float(np.median(scores[:, 0]))
    settings = {"policy": "halting", "threshold": threshold}
    expected = assert_same_answers(bundle, "tensorrt", pictures(8), **settings)
    assert len(set(expected.timesteps)) > 1


def test_event_frames_and_an_unrolled_graph(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, bundle = prepared(
        monkeypatch, tmp_path, stem="sps", input="frames", channels=2, gamma=3, precision="fp16"
    )
    frames = np.random.default_rng(1).integers(0, 3, (3, 4, 2, 8, 8)).astype(np.float32)
    assert_same_answers(bundle, "tensorrt", frames)

    (tmp_path / "unrolled").mkdir()
    _, bundle = prepared(monkeypatch, tmp_path / "unrolled", "dense", chunk=4)
    assert_same_answers(bundle, "tensorrt", pictures(3))


def test_live_masks_come_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, bundle = prepared(monkeypatch, tmp_path)
    with Engine(bundle, threads=1, backend="onnxruntime") as engine:
        expected = engine(pictures(3), live_masks=True).live_masks
    with Engine(bundle, backend="tensorrt") as engine:
        found = engine(pictures(3), live_masks=True).live_masks
    for a, b in zip(expected or (), found or (), strict=True):
        np.testing.assert_array_equal(a, b)


def test_states_never_leave_the_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world, bundle = prepared(monkeypatch, tmp_path, "dense", batch="4")
    cuda = world.cuda
    assert cuda is not None
    with Engine(bundle, backend="tensorrt") as engine:
        engine(pictures(4))
        image, epsilon, alive = 4 * 8 * 8 * 3, 4, 4 * 8
        assert sorted(cuda.uploaded) == sorted([image, epsilon, *[alive, epsilon] * 3])
        masks = [4 * 64 * 4] * 2  # of two blocks
        answers = [4 * 5 * 4, 4 * 4, 4 * 2 * 4, *masks]  # logits, score, live tokens
        assert sorted(cuda.downloaded) == sorted(answers * 4)


def test_a_batch_uses_two_state_sets_and_threads_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, bundle = prepared(monkeypatch, tmp_path)
    with Engine(bundle, backend="tensorrt") as engine:
        expected = engine(pictures(5)).logits
        wrong: list[int] = []

        def call(count: int) -> None:
            for _ in range(6):
                if not np.array_equal(engine(pictures(5)).logits, expected):
                    wrong.append(count)

        threads = [threading.Thread(target=call, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        session: Any = engine._session
        made = session.inner._states._made
    assert not wrong
    assert 2 <= made <= 6


def test_a_session_keeps_shapes_few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world, bundle = prepared(monkeypatch, tmp_path, "dense", batch="1:6:8")
    with Engine(bundle, backend="tensorrt") as engine:
        for images in range(1, 9):
            engine(pictures(images), max_timesteps=1)
    shapes = [call[2]["image"][0] for call in world.calls if call[0] == "execute"]
    assert set(shapes) == {1, 2, 4, 6, 8}
    assert {call[1] for call in world.calls if call[0] == "execute"} == {0, 1, 2}, "profiles"


@pytest.mark.parametrize(
    ("batch", "profiles", "buckets"),
    [
        ((1, 8, 32), (1, 8, 32), [1, 2, 4, 8, 16, 32]),
        ((3, 5, 12), (3, 5, 12), [3, 4, 5, 8, 12]),
        ((8, 8, 8), (8,), [8]),
        ((1, 1, 1), (1,), [1]),
    ],
)
def test_buckets_are_powers_of_two_and_the_profiles_ends(
    batch: tuple[int, ...], profiles: tuple[int, ...], buckets: list[int]
) -> None:
    assert batch_buckets(batch, profiles) == buckets


def test_larger_batches_are_split_by_the_engine_and_refused_by_the_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, bundle = prepared(monkeypatch, tmp_path, "dense", batch="1:2:4")
    session = open_session("tensorrt", bundle, SessionOptions())
    assert session.info.max_batch == 4
    inputs = {"image": pictures(5), "epsilon": np.array(0.01, np.float32)}
    with pytest.raises(ConfigError, match="up to 4 images at once, not 5: pass max_batch=4"):
        session.run(inputs, None, last=True, masks=False)
    session.close()
    assert len(assert_same_answers(bundle, "tensorrt", pictures(5))) == 5


def test_a_handle_is_good_for_one_chunk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, bundle = prepared(monkeypatch, tmp_path, "dense")
    session = open_session("tensorrt", bundle, SessionOptions())
    epsilon = np.array(0.01, np.float32)
    step = session.run({"image": pictures(2), "epsilon": epsilon}, None, last=False, masks=False)
    following = {"alive": np.arange(2), "epsilon": epsilon}
    session.run(following, step.states, last=True, masks=False)
    with pytest.raises(BackendError, match="used before"):
        session.run(following, step.states, last=True, masks=False)
    session.close()
    session.close()
    with pytest.raises(EngineStateError, match="closed"):
        session.run(following, None, last=True, masks=False)


def test_forgotten_states_are_reused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, bundle = prepared(monkeypatch, tmp_path, "dense")
    session: Any = open_session("tensorrt", bundle, SessionOptions())
    for _ in range(5):
        inputs = {"image": pictures(2), "epsilon": np.array(0.01, np.float32)}
        session.run(inputs, None, last=False, masks=False)
        gc.collect()
    assert session._states._made == 1


def test_the_librarys_complaint_is_the_error_and_the_session_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, bundle = prepared(monkeypatch, tmp_path)
    with Engine(bundle, backend="tensorrt") as engine:
        expected = engine(pictures(3)).logits
        world.refuse_enqueue = "Cask convolution execution failed"
        with pytest.raises(BackendError, match=r"10\.13\.3\.9 failed while running.*Cask convol"):
            engine(pictures(2))
        world.refuse_enqueue = ""
        np.testing.assert_array_equal(engine(pictures(3)).logits, expected)
    assert world.cuda is not None and world.cuda.is_empty()


def test_a_lost_gpu_is_an_error_every_time_and_the_process_lives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, bundle = prepared(monkeypatch, tmp_path)
    engine = Engine(bundle, backend="tensorrt")
    assert world.cuda is not None
    world.cuda.lost = True
    for _ in range(2):
        with pytest.raises(DeviceError, match="start a new process"):
            engine(pictures(2))
    engine.close()
    assert "closed" in repr(engine)
    with Engine(bundle, backend="onnxruntime", threads=1) as other:
        assert np.isfinite(other(pictures(2)).logits).all()


@pytest.mark.parametrize("memory", [10_000, 200_000])
def test_no_room_on_the_gpu_is_an_error_that_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, memory: int
) -> None:
    cuda = FakeCuda()
    _, bundle = prepared(monkeypatch, tmp_path, cuda=cuda)
    cuda.memory = memory
    with (
        pytest.raises(OutOfMemoryError, match="out of memory"),
        Engine(bundle, backend="tensorrt") as engine,
    ):
        engine(pictures(8))
    assert cuda.is_empty()


def test_a_context_that_does_not_fit_is_out_of_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tests.fakes import tensorrt as fake

    _, bundle = prepared(monkeypatch, tmp_path)

    def no_room(engine: Any, strategy: Any) -> None:
        engine._logger.log(1, "createExecutionContext: Error Code 2: OutOfMemory (no further)")

    monkeypatch.setattr(fake.ICudaEngine, "create_execution_context", no_room)
    with Engine(bundle, backend="tensorrt") as engine, pytest.raises(OutOfMemoryError):
        engine(pictures(1))


def test_a_damaged_plan_is_an_error_with_the_librarys_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, bundle = prepared(monkeypatch, tmp_path)
    monkeypatch.setattr(Bundle, "read", spoiled(Bundle.read))
    with pytest.raises(BackendError, match=r"cannot load first\..*\.plan: header\.magicTag"):
        Engine(bundle, backend="tensorrt")
    assert world.cuda is not None and world.cuda.is_empty()


def spoiled(read: Any) -> Any:
    def spoil(bundle: Bundle, name: str) -> bytes:
        return b"?" if name.endswith(".plan") else read(bundle, name)  # type: ignore[no-any-return]

    return spoil


def test_version_compatible_engines_may_bring_host_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    options = EngineOptions(batch=BatchRange(1, 2, 4), version_compatible=True)
    bundle = write_small_bundle(tmp_path, "dense")
    build_engines(bundle, open_target("tensorrt", options), options)
    with Engine(bundle.root, backend="tensorrt") as engine:
        assert len(engine(pictures(2))) == 2


def test_engines_that_do_not_follow_the_contract_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from runtime.errors import BundleFormatError

    world, bundle = prepared(monkeypatch, tmp_path, "lagged")
    dense = dataclasses.replace(bundle.manifest, layout="dense")
    with pytest.raises(BundleFormatError, match="the manifest says layout dense"):
        Engine(Bundle(bundle.root, dense, ""), backend="tensorrt")
    assert world.cuda is not None and world.cuda.is_empty()
