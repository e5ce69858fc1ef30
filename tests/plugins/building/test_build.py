import subprocess
from pathlib import Path

import pytest

from plugins.building import build as module
from plugins.building import cpu as build_cpu
from plugins.building import steps as build_steps
from plugins.building.build import build
from plugins.building.toolchain import TensorRTHeaders
from plugins.errors import BuildError, MissingToolError, WrongSettingError
from plugins.libraries import ONNXRUNTIME_NAME


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """A machine with a compiler, cmake and nvcc; returns what is run, without running it."""
    commands = []

    def run(command, **_):
        commands.append(command)
        if "-o" in command:
            Path(command[command.index("-o") + 1]).write_text("made")
        if "--build" in command:
            for name in libraries_of(commands[-2]):
                (Path(command[2]) / name).write_text("made")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(build_steps.subprocess, "run", run)
    monkeypatch.setattr(build_cpu, "find_cxx", lambda: tmp_path / "c++")
    monkeypatch.setattr(module, "find_cmake", lambda: tmp_path / "cmake")
    monkeypatch.setattr(module, "find_nvcc", lambda: tmp_path / "nvcc")
    monkeypatch.setattr(module, "find_tensorrt", list)
    return commands


def libraries_of(configure):
    """What the CMake project would build for this configuration."""
    include = next(entry for entry in configure if "TENSORRT_INCLUDE" in entry).split("=")[1]
    major = include[-2:]
    plugins = [f"libspikehalt_plugins_trt{major}.so"] if include else []
    return ["libspikehalt_kernels.so", *plugins]


def test_without_headers_the_kernels_are_built_and_the_lack_is_said(tools, tmp_path):
    lines = []
    made = build(tmp_path / "out", architectures=["87"], say=lines.append)
    assert [path.name for path in made] == ["libspikehalt_kernels.so", ONNXRUNTIME_NAME]
    assert (
        "TensorRT headers: none, so kernels only (set SPIKEHALT_TENSORRT_INCLUDE to their folder)"
        in lines
    )
    assert "-DSPIKEHALT_CUDA_ARCHITECTURES=87" in tools[1]


def test_every_major_version_gets_its_library(tools, tmp_path, monkeypatch):
    versions = [TensorRTHeaders(tmp_path / f"trt{major}", major, 1) for major in (10, 11)]
    monkeypatch.setattr(module, "find_tensorrt", lambda: versions)
    made = build(tmp_path / "out", say=lambda _: None)
    assert [path.name for path in made] == [
        "libspikehalt_kernels.so",
        ONNXRUNTIME_NAME,
        "libspikehalt_plugins_trt10.so",
        "libspikehalt_plugins_trt11.so",
    ]
    assert all(path.read_text() == "made" for path in made)


@pytest.mark.parametrize(("tool", "remedy"), [("cmake", "apt install cmake"), ("nvcc", "CUDACXX")])
def test_without_tools_for_gpus_the_rest_is_built(tools, tmp_path, monkeypatch, tool, remedy):
    monkeypatch.setattr(module, f"find_{tool}", lambda: None)
    lines = []
    made = build(tmp_path / "out", say=lines.append)
    assert made == [tmp_path / "out" / ONNXRUNTIME_NAME]
    assert lines[-1].startswith(f"not built: kernels and plugins for GPUs. There is no {tool}.")
    assert remedy in lines[-1]


def test_without_a_compiler_the_rest_is_built(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(build_cpu, "find_cxx", lambda: None)
    lines = []
    made = build(tmp_path / "out", say=lines.append)
    assert [path.name for path in made] == ["libspikehalt_kernels.so"]
    assert lines[0].startswith("not built: kernels for ONNX Runtime. There is no C++ compiler.")


def test_with_nothing_to_build_the_missing_tool_is_an_error(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(build_cpu, "find_cxx", lambda: None)
    monkeypatch.setattr(module, "find_nvcc", lambda: None)
    with pytest.raises(MissingToolError, match=r"There is no nvcc.*CUDACXX"):
        build(tmp_path, say=lambda _: None)


def test_the_cpu_library_alone(tools, tmp_path, monkeypatch):
    made = build(tmp_path / "out", cpu_only=True, say=lambda _: None)
    assert made == [tmp_path / "out" / ONNXRUNTIME_NAME]
    (command,) = tools
    assert "-ffp-contract=off" in command
    monkeypatch.setattr(build_cpu, "find_cxx", lambda: None)
    with pytest.raises(MissingToolError, match=r"There is no C\+\+ compiler.*CXX"):
        build(tmp_path, cpu_only=True, say=lambda _: None)


@pytest.mark.parametrize(("platform", "known"), [("linux", True), ("darwin", False)])
def test_the_linker_gets_flags_it_knows(tools, tmp_path, monkeypatch, platform, known):
    """Apple's linker has no version scripts."""
    monkeypatch.setattr(build_cpu.sys, "platform", platform)
    build(tmp_path / "out", cpu_only=True, say=lambda _: None)
    assert any("--version-script" in word for word in tools[0]) == known


def test_platforms_that_the_cpu_library_is_not_for_are_told_so(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(build_cpu.sys, "platform", "win32")
    with pytest.raises(MissingToolError, match="on Linux and macOS only, not on win32"):
        build(tmp_path / "out", cpu_only=True, say=lambda _: None)
    assert not tools


def test_sources_of_the_cpu_library_are_those_of_every_op():
    names = {source.name for source in build_cpu.sources()}
    folders = {source.parent.name for source in build_cpu.SOURCES.glob("*/*_onnxruntime.cpp")}
    assert {f"{folder}_onnxruntime.cpp" for folder in folders} <= names
    assert {"library.cpp", "lif_loops.cpp"} <= names
    assert not any("plugin" in name or name.endswith(".cu") for name in names)


def test_a_failed_step_shows_its_last_lines(tools, tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "line\n" * 50 + "why", "error: x")
    monkeypatch.setattr(build_steps.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(BuildError, match="error: x") as caught:
        build(tmp_path, say=lambda _: None)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.output.startswith("line\n") and caught.value.output.count("\n") == 30


def test_a_folder_that_cannot_be_written_to_is_found_before_compiling(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(build_steps.os, "access", lambda *_: False)
    with pytest.raises(WrongSettingError, match=r"cannot be written to\. Name another one"):
        build(tmp_path, say=lambda _: None)
    assert not tools


def test_what_the_replaced_library_measured_goes(tools, tmp_path):
    (tmp_path / "measured-0123.txt").touch()
    build(tmp_path, cpu_only=True, say=lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == [ONNXRUNTIME_NAME]
