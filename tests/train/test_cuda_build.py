"""Training in a PyTorch that was built for CUDA, without a GPU (tests/fakes/cuda_runtime).

SPIKEHALT_TORCH_GPU names a Python that has such a PyTorch and what `spikehalt[train]` needs; it
takes nvcc. PyTorch's host code, Lightning's and Triton's compiler are real; kernels do nothing, and
what comes back from the device is zero.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from plugins.toolchain import find_nvcc
from tests.fakes import cuda_runtime

VARIABLE = "SPIKEHALT_TORCH_GPU"
ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent / "cuda_build"
T = 4


@dataclass(frozen=True)
class CudaBuild:
    """A Python whose PyTorch believes that it has a GPU."""

    python: str
    environment: dict[str, str]

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """A script of `cuda_build/` with its arguments; it must end well."""
        found = subprocess.run(
            [self.python, *map(str, words)], capture_output=True, text=True, errors="replace",
            env=self.environment, timeout=600, check=False,
        )  # fmt: skip
        assert found.returncode == 0, found.stderr[-3000:]
        return found


@pytest.fixture(scope="module")
def cuda_build(tmp_path_factory: pytest.TempPathFactory) -> CudaBuild:
    python, nvcc = os.environ.get(VARIABLE), find_nvcc()
    if not python or not nvcc:
        pytest.skip(f"{VARIABLE} names no Python with a PyTorch for CUDA, or there is no nvcc")
    asked = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = Path(subprocess.check_output([python, "-c", asked], text=True).strip())
    folder = tmp_path_factory.mktemp("cuda")
    libraries = [site / "torch" / "lib" / f"lib{name}.so" for name in (
        "c10_cuda", "torch_cuda", "torch_cuda_linalg", "torch_python"
    )]  # fmt: skip
    environment = cuda_runtime.build(folder, nvcc, [each for each in libraries if each.is_file()])
    caches = {
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TRITON_CACHE_DIR": str(folder / "triton"),
    }
    return CudaBuild(python, {**environment, **caches, "PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize(
    "changes",
    [
        ["--precision", "bf16", "--model.merge-gamma", "2"],
        ["--precision", "fp16", "--compile", "False", "--data.augment.mixup", "0.5"],
        ["--precision", "fp32", "--compile", "False", "--loss.surrogate-modules", "0.5"],
    ],
    ids=" ".join,
)
def test_a_run_ends_and_resumes(cuda_build: CudaBuild, tmp_path: Path, changes: list[str]) -> None:
    epochs = ["--static.epochs", "1", "--halting.epochs", "1"]
    cuda_build.run(HERE / "command.py", "run", "digits", *epochs, "--out", tmp_path, *changes)
    assert (tmp_path / "static.pt").is_file() and (tmp_path / "halting.pt").is_file()
    cuda_build.run(HERE / "command.py", "resume", tmp_path / "last.pt")
    cuda_build.run(HERE / "command.py", "energy", tmp_path / "static.pt", tmp_path / "halting.pt")


def test_the_neurons_compile_by_themselves(cuda_build: CudaBuild, tmp_path: Path) -> None:
    epochs = ["--static.epochs", "1", "--halting.epochs", "0"]
    ran = cuda_build.run(HERE / "command.py", "run", "digits", *epochs, "--out", tmp_path)
    assert "cannot be compiled" not in ran.stderr
    assert list(Path(cuda_build.environment["TRITON_CACHE_DIR"]).rglob("*.cubin"))


def test_every_loop_is_one_kernel_that_reads_and_writes_once(cuda_build: CudaBuild) -> None:
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
