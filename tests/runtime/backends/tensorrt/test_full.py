"""Opening TensorRT's engines: what must fit before anything is loaded."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from plugins.libraries import FOLDER_VARIABLE as PLUGINS_VARIABLE
from plugins.libraries import library_folder, plugins_name
from runtime import Engine
from runtime.backends.plugin_library import library_path
from runtime.backends.registry import names
from runtime.bundle.read import Bundle
from runtime.errors import BackendMissingError, DeviceError
from spikehalt.places import PLUGIN_FOLDER_VARIABLE as FOLDER_VARIABLE
from tests.export.dyadic import pictures
from tests.fakes.install import install
from tests.runtime.backends.tensorrt.test_session import prepared


def test_both_backends_come_before_onnx_runtime() -> None:
    assert names()[:4] == ["auto", "tensorrt", "tensorrt-rtx", "onnxruntime"]


def test_auto_takes_the_engines_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, bundle = prepared(monkeypatch, tmp_path)
    with Engine(bundle) as engine:
        assert (engine.info.name, engine.info.version) == ("tensorrt", "10.13.3.9")
        assert engine.info.device == "Fake GPU"
        assert engine.info.reason == "first that can run here"
        assert engine.info.options["batch"] == "1:4:8" and engine.info.options["plugins"] is True


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("version", r"first\.tensorrt-\S+ was built by TensorRT 10\.13\.3\.9, installed is 10\.3"),
        ("gpu", "no NVIDIA driver"),
        ("library", "needs a plugin library.*python -m plugins build"),
        ("other library", "was built with another plugin library than .*build the engines again"),
        ("device", "device 'cpu' was asked for"),
    ],
)
def test_auto_falls_back_to_onnx_runtime_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: str, reason: str
) -> None:
    _, bundle = prepared(monkeypatch, tmp_path)
    library = tmp_path / "libspikehalt_plugins_trt10.so"
    if change == "version":
        install(monkeypatch, tmp_path, version="10.3.0.30")
    elif change == "gpu":
        install(monkeypatch, tmp_path, gpu=False)
    elif change == "library":
        library.unlink()
    elif change == "other library":
        library.write_bytes(library.read_bytes() + b"rebuilt")

    with Engine(bundle, threads=1, device="cpu" if change == "device" else None) as engine:
        assert engine.info.name == "onnxruntime"
        assert np.isfinite(engine(pictures(2)).logits).all()
    assert re.search(f"tensorrt: .*{reason}", engine.info.reason), engine.info.reason


def test_asked_for_by_name_a_mismatch_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, bundle = prepared(monkeypatch, tmp_path)
    install(monkeypatch, tmp_path, version="10.3.0.30")
    with pytest.raises(BackendMissingError) as refused:
        Engine(bundle, backend="tensorrt")
    text = str(refused.value)
    assert "was built by TensorRT 10.13.3.9, installed is 10.3.0.30" in text
    assert text.endswith(f"`python -m export.to_trt {bundle.root} --target tensorrt`")
    assert "\n" not in text


def test_a_bundle_without_engines_says_how_to_build_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: Bundle
) -> None:
    install(monkeypatch, tmp_path)
    with pytest.raises(
        BackendMissingError, match=r"holds no TensorRT engine; build one with `pyth"
    ):
        Engine(bundle, backend="tensorrt")


def test_without_tensorrt_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, bundle = prepared(monkeypatch, tmp_path)
    install(monkeypatch, tmp_path, flavour="tensorrt-rtx", version="1.7.1.116")
    with pytest.raises(BackendMissingError, match=r"needs tensorrt, .*\[tensorrt\]"):
        Engine(bundle, backend="tensorrt")


def test_another_device_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, bundle = prepared(monkeypatch, tmp_path)
    with pytest.raises(DeviceError, match="no device 'cpu'"):
        Engine(bundle, backend="tensorrt", device="cpu")


def test_plugins_are_loaded_once_and_before_the_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, bundle = prepared(monkeypatch, tmp_path)
    world.registry.clear()
    world.calls.clear()
    for _ in range(2):
        Engine(bundle, backend="tensorrt").close()
    loads = [call for call in world.calls if call[0] == "load_library"]
    assert loads == [("load_library", str(tmp_path / "libspikehalt_plugins_trt10.so"))]


def test_a_library_that_registers_nothing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tests.fakes.tensorrt import PluginRegistry

    world, bundle = prepared(monkeypatch, tmp_path)
    world.registry.clear()
    monkeypatch.setattr(PluginRegistry, "load_library", lambda *_: None)
    with pytest.raises(
        BackendMissingError, match=r"does not find LIF, TokenHaltSum.*plugins build"
    ):
        Engine(bundle, backend="tensorrt")


@pytest.mark.parametrize("given", [None, "/plug/ins"])
def test_the_library_lies_where_plugins_puts_it(
    monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    assert FOLDER_VARIABLE == PLUGINS_VARIABLE
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    if given:
        monkeypatch.setenv(FOLDER_VARIABLE, given)
    assert library_path("10.3.0.30") == library_folder() / plugins_name(10)
    assert library_path("11.4.0.106") == library_folder() / plugins_name(11)
