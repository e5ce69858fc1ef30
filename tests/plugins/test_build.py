import subprocess

import pytest

from plugins import build as module
from plugins.build import build
from plugins.errors import BuildError, MissingToolError
from plugins.toolchain import TensorRTHeaders


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """A machine with cmake and nvcc; `commands` records what is run, without running it."""
    commands = []

    def run(command, **_):
        commands.append(command)
        if "--build" in command:
            made = tmp_path.__class__(command[2])
            for name in libraries_of(commands[-2]):
                (made / name).write_text("made")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(module.subprocess, "run", run)
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
    assert [path.name for path in made] == ["libspikehalt_kernels.so"]
    assert (
        "TensorRT headers: none, so kernels only (set SPIKEHALT_TENSORRT_INCLUDE to their folder)"
        in lines
    )
    assert "-DSPIKEHALT_CUDA_ARCHITECTURES=87" in tools[0]


def test_every_major_version_gets_its_library(tools, tmp_path, monkeypatch):
    versions = [TensorRTHeaders(tmp_path / f"trt{major}", major, 1) for major in (10, 11)]
    monkeypatch.setattr(module, "find_tensorrt", lambda: versions)
    made = build(tmp_path / "out", say=lambda _: None)
    assert [path.name for path in made] == [
        "libspikehalt_kernels.so",
        "libspikehalt_plugins_trt10.so",
        "libspikehalt_plugins_trt11.so",
    ]
    assert all(path.read_text() == "made" for path in made)


@pytest.mark.parametrize(("tool", "remedy"), [("cmake", "apt install cmake"), ("nvcc", "CUDACXX")])
def test_a_missing_tool_is_named_with_how_to_get_it(tools, tmp_path, monkeypatch, tool, remedy):
    monkeypatch.setattr(module, f"find_{tool}", lambda: None)
    with pytest.raises(MissingToolError, match=f"There is no {tool}.*{remedy}"):
        build(tmp_path, say=lambda _: None)


def test_a_failed_step_shows_its_last_lines(tools, tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "line\n" * 50 + "why", "error: x")
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(BuildError, match="error: x") as caught:
        build(tmp_path, say=lambda _: None)
    assert len(str(caught.value).splitlines()) < 40
