"""Training in a PyTorch that was built for CUDA, without a GPU (tests/fakes/cuda_runtime).

SPIKEHALT_TORCH_GPU names a Python that has such a PyTorch and what `spikehalt[train]` needs; it
takes nvcc. PyTorch's host code, Lightning's and Triton's compiler are real; kernels do nothing, and
what comes back from the device is zero.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.cuda_runtime import CudaPython, open_python

VARIABLE = "SPIKEHALT_TORCH_GPU"
ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent / "cuda_build"
T = 4


@pytest.fixture(scope="module")
def cuda_build(tmp_path_factory: pytest.TempPathFactory) -> CudaPython:
    folder = tmp_path_factory.mktemp("cuda")
    names = ("c10_cuda", "torch_cuda", "torch_cuda_linalg", "torch_python")
    found = open_python(VARIABLE, folder, [f"torch/lib/lib{name}.so" for name in names])
    ours = {
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TRITON_CACHE_DIR": str(folder / "triton"),
        "PYTHONPATH": str(ROOT),
    }
    return replace(found, environment={**found.environment, **ours})


@pytest.mark.parametrize(
    "changes",
    [
        ["--precision", "bf16", "--model.merge-gamma", "2"],
        ["--precision", "fp16", "--compile", "False", "--data.augment.mixup", "0.5"],
        ["--precision", "fp32", "--compile", "False", "--loss.surrogate-modules", "0.5"],
    ],
    ids=" ".join,
)
def test_a_run_ends_and_resumes(cuda_build: CudaPython, tmp_path: Path, changes: list[str]) -> None:
    epochs = ["--static.epochs", "1", "--halting.epochs", "1"]
    cuda_build.run(HERE / "command.py", "run", "digits", *epochs, "--out", tmp_path, *changes)
    assert (tmp_path / "static.pt").is_file() and (tmp_path / "halting.pt").is_file()
    cuda_build.run(HERE / "command.py", "resume", tmp_path / "last.pt")
    cuda_build.run(HERE / "command.py", "energy", tmp_path / "static.pt", tmp_path / "halting.pt")


def test_the_neurons_compile_by_themselves(cuda_build: CudaPython, tmp_path: Path) -> None:
    epochs = ["--static.epochs", "1", "--halting.epochs", "0"]
    ran = cuda_build.run(HERE / "command.py", "run", "digits", *epochs, "--out", tmp_path)
    assert "cannot be compiled" not in ran.stderr
    assert list(Path(cuda_build.environment["TRITON_CACHE_DIR"]).rglob("*.cubin"))


def test_every_loop_is_one_kernel_that_reads_and_writes_once(cuda_build: CudaPython) -> None:
    """Per neuron: currents in, spikes and membranes out; gradients and membranes in, one out."""
    found = json.loads(cuda_build.run(HERE / "loops.py").stdout)
    assert {name: len(kernels) for name, kernels in found.items()} == dict.fromkeys(found, 1)
    kernel = {name: kernels[0] for name, kernels in found.items()}
    assert kernel.pop("rate") == {"loads": 1, "stores": 1}
    assert kernel.pop("rate gradient") == {"loads": 2, "stores": 1}
    for name, moved in kernel.items():
        forward = name.startswith("forward")
        assert moved["stores"] == (2 * T if forward else T), name
        if "mask" not in name:  # a mask is small, and read again from the cache
            assert moved["loads"] == (T if forward else 2 * T), name
