"""Opening TensorRT-RTX's engines, with a fake one and, where it is installed, the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime import Engine
from runtime.backends.tensorrt.rtx import refuse_invalid
from runtime.bundle.read import Bundle
from runtime.errors import BackendError, BackendMissingError
from tests.export.dyadic import pictures
from tests.fakes.cuda import FakeCuda
from tests.fakes.install import install
from tests.fakes.tensorrt import EngineInvalidityDiagnostics, EngineValidity, Runtime
from tests.runtime.backends.tensorrt.test_session import assert_same_answers, prepared


def test_auto_takes_its_engines_where_tensorrt_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, bundle = prepared(monkeypatch, tmp_path, flavour="tensorrt-rtx")
    with Engine(bundle) as engine:
        assert engine.info.name == "tensorrt-rtx"
        assert "passed over: tensorrt: " in engine.info.reason
        assert "holds no TensorRT engine" in engine.info.reason
        assert engine.info.options["plugins"] is False


def test_engines_built_for_named_gpus_do_not_run_on_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from export.engines.build import build_engines
    from export.engines.targets.base import EngineOptions
    from export.engines.targets.tensorrt_rtx import TensorRTRTX
    from tests.fakes.bundles import write_small_bundle

    hopper = FakeCuda(name="Hopper", compute_capability="9.0")
    install(monkeypatch, tmp_path, flavour="tensorrt-rtx", version="1.7.1.116", cuda=hopper)
    options = EngineOptions(compute_capabilities=("8.6", "8.9"))
    bundle = build_engines(write_small_bundle(tmp_path), TensorRTRTX(options), options)
    with pytest.raises(
        BackendMissingError, match=r"compute capability 8\.6, 8\.9, Hopper has 9\.0"
    ):
        Engine(bundle, backend="tensorrt-rtx")


def test_engines_for_any_gpu_are_passed_over_on_those_the_library_does_not_have(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hopper = FakeCuda(name="Hopper", compute_capability="9.0")
    _, bundle = prepared(monkeypatch, tmp_path, flavour="tensorrt-rtx", cuda=hopper)
    with Engine(bundle) as engine:
        assert engine.info.name == "onnxruntime"
        assert "8.0, 8.6, 8.9, 12.0, 12.1, Hopper has 9.0" in engine.info.reason


def test_the_library_is_asked_before_a_plan_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, bundle = prepared(monkeypatch, tmp_path, flavour="tensorrt-rtx")
    bits = EngineInvalidityDiagnostics.VERSION_MISMATCH | EngineInvalidityDiagnostics.UNSUPPORTED_CC
    verdict = (EngineValidity.INVALID, int(bits))
    monkeypatch.setattr(Runtime, "get_engine_validity", lambda *_: verdict)
    with pytest.raises(BackendError) as refused:
        Engine(bundle, backend="tensorrt-rtx")
    assert "TensorRT-RTX 1.7.1.116 cannot run first." in str(refused.value)
    assert "(version mismatch, unsupported cc)" in str(refused.value)
    assert world.cuda is not None and world.cuda.is_empty()


def test_an_engine_that_would_be_slower_than_it_could_is_still_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, bundle = prepared(monkeypatch, tmp_path, flavour="tensorrt-rtx")
    monkeypatch.setattr(Runtime, "get_engine_validity", lambda *_: (EngineValidity.SUBOPTIMAL, 0))
    expected = assert_same_answers(bundle, "tensorrt-rtx", pictures(3))
    assert len(expected) == 3


@pytest.mark.tensorrt
class TestRealLibrary:
    """What the installed TensorRT-RTX answers, on any machine."""

    @pytest.fixture
    def trt(self) -> Any:
        return pytest.importorskip(
            "tensorrt_rtx",
            reason="TensorRT-RTX is not installed: pip install 'spikehalt[tensorrt-rtx]'",
        )

    def test_a_file_that_is_no_engine_is_refused(self, trt: Any) -> None:
        with pytest.raises(BackendError, match=r"cannot run x\.plan on this GPU"):
            refuse_invalid(trt, b"no engine" * 100, "x.plan")

    def test_a_real_bundle_without_a_gpu_says_so(self, trt: Any, tmp_path: Path) -> None:
        from export.engines.build import build_engines
        from export.engines.targets.base import EngineOptions
        from export.engines.targets.tensorrt_rtx import TensorRTRTX
        from runtime.backends.cuda.driver import CudaDriver
        from runtime.errors import DeviceError
        from tests.fakes.bundles import write_small_bundle

        try:
            CudaDriver()
        except DeviceError:
            options = EngineOptions(compute_capabilities=("8.6",))
            bundle: Bundle = write_small_bundle(tmp_path, "dense", mode="none", timesteps=2)
            bundle = build_engines(bundle, TensorRTRTX(options), options)
            with pytest.raises(DeviceError, match=r"no NVIDIA driver|no usable NVIDIA GPU"):
                Engine(bundle, backend="tensorrt-rtx")
            with Engine(bundle, threads=1) as engine:
                assert engine.info.name == "onnxruntime"
                assert "tensorrt-rtx: there is no" in engine.info.reason
        else:
            pytest.skip("this machine has a GPU; test_end_to_end.py runs the engines on it")
