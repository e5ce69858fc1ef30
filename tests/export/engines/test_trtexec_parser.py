"""The printed commands in trtexec's own command line parser, compiled from TensorRT's sources.

SPIKEHALT_TENSORRT_SOURCES names checkouts of github.com/NVIDIA/TensorRT, separated as in PATH. It
takes nvcc, for 11.x nlohmann-json's headers too; neither TensorRT nor a GPU.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from export.__main__ import main
from plugins.building.toolchain import find_nvcc, read_headers
from tests.export.engines.test_trtexec import commands
from tests.fakes.bundles import write_small_bundle

VARIABLE = "SPIKEHALT_TENSORRT_SOURCES"
CHECKOUTS = [Path(each) for each in os.environ.get(VARIABLE, "").split(os.pathsep) if each]
MISSING = pytest.param(
    None, marks=pytest.mark.skip(reason=f"no TensorRT sources: name checkouts in {VARIABLE}")
)
OURS = Path(__file__).parent / "trtexec_parser"
THEIRS = ("sampleOptions", "sampleUtils", "logger", "bfloat16")


@dataclass(frozen=True)
class Parser:
    """trtexec's parser of one version."""

    major: int
    program: Path

    def __call__(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Read a command line; 0 where trtexec takes it, and what it understood."""
        return subprocess.run(
            [self.program, *words], capture_output=True, text=True, check=False, timeout=60
        )


@pytest.fixture(scope="module", params=CHECKOUTS or [MISSING], ids=str)
def parser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Parser:
    checkout: Path = request.param
    headers, nvcc = read_headers(checkout / "include"), find_nvcc()
    assert headers, f"{checkout} is no checkout of TensorRT 10 or later"
    assert nvcc, "compiling trtexec's options takes CUDA's nvcc, for its headers"
    samples = checkout / "samples" / "common"
    folders = [checkout / "include", samples, samples.parent, checkout / "shared"]
    program = tmp_path_factory.mktemp("trtexec") / "parser"
    # What the options do not call, and would need TensorRT or CUDA for, is left out by the linker.
    subprocess.run(
        [
            nvcc, "-x", "c++", "-std=c++17", "-cudart", "none", "-Xlinker", "--gc-sections",
            "-Xcompiler", f"-w,-ffunction-sections,-idirafter,{OURS}",
            *(f"-I{folder}" for folder in folders),
            *(samples / f"{name}.cpp" for name in THEIRS), OURS / "parser.cpp", "-o", program,
        ],
        check=True,
    )  # fmt: skip
    return Parser(headers.major, program)


@pytest.mark.parametrize("layout", ["dense", "lagged"])
@pytest.mark.parametrize("source", ["image", "frames"])
@pytest.mark.parametrize("more", [[], ["--batch", "2"], ["--no-plugins"]], ids=str)
def test_trtexec_takes_every_printed_command(
    parser: Parser, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    layout: str, source: str, more: list[str],
) -> None:  # fmt: skip
    frames = {"stem": "sps", "input": "frames", "channels": 2} if source == "frames" else {}
    bundle = write_small_bundle(tmp_path, layout, **frames)
    assert main(["trtexec", str(bundle.root), "--major", str(parser.major), *more]) == 0
    printed = commands(capsys)
    assert len(printed) == 4
    for words in printed:
        result = parser(words[1:])
        assert result.returncode == 0, result.stderr


def test_both_versions_measure_the_same(
    parser: Parser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path)
    arguments = ["trtexec", str(bundle.root), "--batch", "1:2:4", "--major", str(parser.major)]
    assert main(arguments) == 0
    build, profile = (parser(words[1:]).stdout for words in commands(capsys)[2:])
    for line in (
        "Precision: Strongly Typed", "Model: next.onnx", "Save engine: next.plan",
        "Skip inference: Enabled", "timingCacheFile: timings",
    ):  # fmt: skip
        assert line in build
    assert f"libspikehalt_plugins_trt{parser.major}.so" in build
    for line in (
        "CUDA Graph: Enabled", "Spin-wait: Enabled",
        "Data transfers: Disabled", "Duration: 10s (+ 500ms warm up)", "Profile: Enabled",
        "Export profile to JSON file: next.profile.json",
    ):  # fmt: skip
        assert line in profile
    assert "rows.block2=64+192+320" in build


@pytest.mark.parametrize("flag", ["--fp16", "--int8", "--best"])
def test_precision_flags_are_gone_in_11(parser: Parser, flag: str) -> None:
    refused = parser(["--onnx=first.onnx", flag]).returncode != 0
    assert refused == (parser.major >= 11)
