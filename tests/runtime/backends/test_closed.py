"""A closed session says so in the same way, whichever backend it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Engine
from runtime.backends import registry
from runtime.backends.base import CLOSED, ChunkOutputs, Inputs, Session, SessionOptions
from runtime.backends.lagged import LaggedSession
from runtime.backends.onnxruntime import session as onnxruntime
from runtime.bundle import Bundle
from runtime.errors import EngineStateError
from runtime.testing import ReplaySession
from tests.export.dyadic import pictures
from tests.fakes.bundles import write_small_bundle
from tests.runtime.backends.tensorrt.test_session import prepared

Open = Callable[[pytest.MonkeyPatch, Path, str], Session]


def on_processor(patch: pytest.MonkeyPatch, folder: Path, layout: str) -> Session:
    return registry.open_session(
        "onnxruntime", write_small_bundle(folder, layout), SessionOptions()
    )


def on_cuda(patch: pytest.MonkeyPatch, folder: Path, layout: str) -> Session:
    """ONNX Runtime's session for CUDA, with the processor in the GPU's place."""
    patch.setitem(onnxruntime.PROVIDERS, "cuda", onnxruntime.PROVIDERS["cpu"])
    patch.setitem(onnxruntime.PROVIDER_OPTIONS, "cuda", {})
    bundle = write_small_bundle(folder, layout)
    return registry.open_session("onnxruntime-cuda", bundle, SessionOptions())


def on_tensorrt(patch: pytest.MonkeyPatch, folder: Path, layout: str) -> Session:
    _, bundle = prepared(patch, folder, layout)
    return registry.open_session("tensorrt", bundle, SessionOptions())


def on_tensorrt_rtx(patch: pytest.MonkeyPatch, folder: Path, layout: str) -> Session:
    _, bundle = prepared(patch, folder, layout, flavour="tensorrt-rtx")
    return registry.open_session("tensorrt-rtx", bundle, SessionOptions())


def on_recording(patch: pytest.MonkeyPatch, folder: Path, layout: str) -> Session:
    bundle = write_small_bundle(folder, layout)
    with Engine(bundle, threads=1) as engine:
        return ReplaySession(bundle.manifest, engine.record(pictures(2)))


BACKENDS: dict[str, Open] = {
    "tensorrt": on_tensorrt,
    "tensorrt-rtx": on_tensorrt_rtx,
    "onnxruntime": on_processor,
    "onnxruntime-cuda": on_cuda,
    "replay": on_recording,
}


def test_every_backend_is_among_them() -> None:
    assert {*registry.names(), "replay"} == {"auto", *BACKENDS}


@pytest.mark.parametrize("layout", ["dense", "lagged"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_closed_session_says_that_its_engine_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, backend: str, layout: str
) -> None:
    session = BACKENDS[backend](monkeypatch, tmp_path, layout)
    assert session.info.name == backend
    assert isinstance(session, LaggedSession) == (layout == "lagged" and backend != "replay")
    inputs = {"image": pictures(1), "epsilon": np.array(0, np.float32)}

    for _ in range(2):
        session.close()
        with pytest.raises(EngineStateError) as refused:
            session.run(inputs, None, last=True, masks=False)
        assert str(refused.value) == CLOSED


@pytest.mark.parametrize("backend", ["onnxruntime", "tensorrt", "tensorrt-rtx", "replay"])
def test_a_call_that_goes_on_when_its_engine_is_closed_is_told_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, backend: str
) -> None:
    session = BACKENDS[backend](monkeypatch, tmp_path, "dense")
    engine = Engine(bundle_of(tmp_path), backend=ClosedAfterOneChunk(session), policy="never")
    with pytest.raises(EngineStateError, match="closed"):
        engine(pictures(1))


def bundle_of(folder: Path) -> Bundle:
    return Bundle.open(folder / "small.bundle")


class ClosedAfterOneChunk:
    """As if another thread closed the engine between two chunks."""

    def __init__(self, inner: Session) -> None:
        self.inner, self.info = inner, inner.info

    def run(self, inputs: Inputs, states: Any, *, last: bool, masks: bool) -> ChunkOutputs:
        step = self.inner.run(inputs, states, last=last, masks=masks)
        self.inner.close()
        return step

    def close(self) -> None:
        self.inner.close()
