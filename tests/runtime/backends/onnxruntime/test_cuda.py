"""ONNX Runtime's CUDA provider: what it is told, and, without a GPU, what it says to our graphs.

For the latter SPIKEHALT_ONNXRUNTIME_GPU names a Python that has `onnxruntime-gpu[cuda,cudnn]` and
`onnx`, such as that of a virtual environment; it takes nvcc, for its headers. The provider is the
real one, CUDA below it is a stand-in (tests/fakes/cuda_runtime).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, ClassVar

import onnx
import onnxruntime
import pytest

from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from runtime import Engine
from runtime.bundle.read import Bundle
from runtime.errors import DeviceError
from tests.export.dyadic import dyadic_config, dyadic_network
from tests.fakes.cuda_runtime import CudaPython, open_python
from train.models import NAMED_MODELS

OURS = Path(__file__).parent / "cuda_provider"
VARIABLE = "SPIKEHALT_ONNXRUNTIME_GPU"
PROVIDER = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
BATCH = 3
ARCHITECTURES = sorted({config.arch for config in NAMED_MODELS.values()})
# Arithmetic on shapes, which the provider leaves to the processor by itself.
SHAPES = {"Add", "Cast", "Concat", "Gather", "Mul", "ReduceProd", "Squeeze", "Sub"}
# Numbers of rows, which such arithmetic gives to the GPU: copies of eight bytes, a block's at most.
COPIES = {"dense": 0, "lagged": 2, "packed": 2}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> CudaPython:
    folder = tmp_path_factory.mktemp("cuda")
    return open_python(VARIABLE, folder, [PROVIDER], ["nvidia/cu13/lib"])


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(("layout", "gamma"), [("dense", 3), ("lagged", 0), ("packed", 3)])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_cuda_provider_takes_every_node_that_computes(
    provider: CudaPython, tmp_path: Path, arch: str, layout: Any, gamma: int, precision: Any
) -> None:
    plan = make_plan(dyadic_network(dyadic_config(arch, "isps", "block_time", gamma)))
    for name, model in unroll(plan, ExportOptions(1, layout, precision)).items():
        onnx.save(model, tmp_path / name)
        log = provider.run(OURS / "session.py", tmp_path / name, BATCH).stderr
        placed = nodes_by_provider(log)
        assert set(placed["CPU"]) <= SHAPES
        assert "MatMul" in placed["CUDA"] and "Conv" not in placed["CPU"]
        assert len(re.findall(r"AddCopyNode\] Add Memcpy", log)) <= COPIES[layout] * len(
            plan.blocks
        )


def nodes_by_provider(log: str) -> dict[str, list[str]]:
    """Ops of the nodes that the log places on each provider."""
    placed: dict[str, list[str]] = {"CPU": [], "CUDA": []}
    where: list[str] = []
    for line in log.splitlines():
        if found := re.search(r"placed on \[(CPU|CUDA)ExecutionProvider\]", line):
            where = placed[found[1]]
        elif found := re.search(r"AssignedToAnEp\] +(\w+) \(", line):
            where.append(found[1])
    return placed


class FailedStart:
    """What ONNX Runtime gives where the CUDA provider does not start."""

    asked: ClassVar[list[Any]] = []

    def __init__(self, *_: Any, providers: list[Any], **__: Any) -> None:
        self.asked.append(providers)

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    monkeypatch.setattr(onnxruntime, "InferenceSession", FailedStart)
    monkeypatch.setattr(FailedStart, "asked", [])
    return FailedStart.asked


def test_float32_stays_float32_on_a_gpu(bundle: Bundle, sessions: list[Any]) -> None:
    with pytest.raises(DeviceError, match=r"NVIDIA GPU with its driver.*\[gpu\]"):
        Engine(bundle, backend="onnxruntime-cuda")
    ((name, options),) = sessions[0]
    assert name == "CUDAExecutionProvider"
    assert options["use_tf32"] == "0"
    assert options["cudnn_conv_algo_search"] == "HEURISTIC"


def test_pips_cuda_libraries_are_loaded_and_stdout_stays_clean(
    bundle: Bundle,
    sessions: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        onnxruntime, "preload_dlls", lambda: sys.stdout.write("no libcublas\n"), raising=False
    )
    with pytest.raises(DeviceError):
        Engine(bundle, backend="onnxruntime-cuda")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "no libcublas\n")


def test_a_processor_needs_no_cuda_libraries(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never() -> None:
        raise AssertionError("CUDA's libraries were asked for")

    monkeypatch.setattr(onnxruntime, "preload_dlls", never, raising=False)
    with Engine(bundle, backend="onnxruntime") as engine:
        assert engine.info.device == "cpu"
