from __future__ import annotations

import re
import sys

import pytest

from runtime import Engine
from runtime.backends import registry
from runtime.backends.registry import SessionOptions
from runtime.bundle.read import Bundle
from runtime.errors import BackendMissingError, DeviceError
from spikehalt.extras import install_command


def test_auto_says_why_it_chose(bundle: Bundle) -> None:
    with Engine(bundle) as engine:
        assert engine.info.name == "onnxruntime"
        assert "first that can run here" in engine.info.reason


def test_auto_is_offered_first() -> None:
    assert registry.names()[0] == "auto" and "onnxruntime" in registry.names()


def test_without_any_library_the_error_names_what_to_install(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(BackendMissingError, match=re.escape(install_command("onnxruntime"))):
        Engine(bundle)
    with pytest.raises(BackendMissingError, match=re.escape(install_command("onnxruntime"))):
        Engine(bundle, backend="onnxruntime")


def test_a_device_that_is_not_there_is_named(bundle: Bundle) -> None:
    with pytest.raises(DeviceError, match=r"'tpu' is unknown.*'cpu' or 'cuda'"):
        Engine(bundle, backend="onnxruntime", device="tpu")


def test_a_device_this_build_lacks_is_named(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])

    with pytest.raises(DeviceError, match=r"no 'cuda' device.*\[gpu\]"):
        Engine(bundle, backend="onnxruntime-cuda")
    with pytest.raises(BackendMissingError, match=r"no 'cuda' device.*\[gpu\]") as refused:
        Engine(bundle, device="cuda")
    assert "only when asked for" not in str(refused.value)


def test_the_gpu_is_taken_only_when_asked_for(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)

    unasked = registry.why_not("onnxruntime-cuda", bundle, SessionOptions())
    assert unasked is not None and "only when asked for" in unasked
    assert registry.why_not("onnxruntime-cuda", bundle, SessionOptions(device="cuda")) is None
