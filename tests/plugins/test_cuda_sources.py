"""The CUDA sources as nvcc sees them; one architecture, to be quick."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from plugins.building.toolchain import find_nvcc
from tests.plugins import compilers

ARCHITECTURE = "compute_80"
KERNELS = ("lif_kernel", "token_halt_kernel", "token_merge_kernel", "token_merge_similar_kernel")


@pytest.fixture(scope="module")
def nvcc():
    found = find_nvcc()
    if found is None or not (shutil.which(str(found)) or found.is_file()):
        pytest.skip("no nvcc: install the CUDA toolkit or set CUDACXX to compile the .cu files")
    return str(found)


@pytest.fixture(scope="module")
def ptx(nvcc, build_folder):
    """The PTX of each source, compiled with warnings as errors."""
    texts = {}
    for source in compilers.KERNELS:
        target = build_folder / f"{source.stem}.ptx"
        command = [nvcc, "-std=c++17", "-O3", f"-arch={ARCHITECTURE}", "-ptx"]
        command += ["-Werror", "all-warnings", "-Xcompiler", "-Wall,-Wextra,-Werror", str(source)]
        texts[source.stem] = compilers.build_once(command, target).read_text()
    return texts


def test_every_kernel_compiles(ptx):
    entries = {stem: text.count(".entry") for stem, text in ptx.items()}
    assert {stem for stem, count in entries.items() if count} == set(KERNELS)


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_move_16_bytes_at_a_time(ptx, kernel):
    assert "ld.global.v4" in ptx[kernel] or "ld.global.nc.v4" in ptx[kernel]
    assert "st.global.v4" in ptx[kernel]


def test_lif_rounds_after_each_operation(ptx):
    """A fused multiply-add would round once where numpy rounds twice."""
    assert "fma.rn.f32" not in ptx["lif_kernel"]
    assert "mul.rn.f32" in ptx["lif_kernel"]


@pytest.mark.parametrize("gpu", ["sm_87", "sm_120"])  # Orin; the newest that nvcc 13 names
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_keep_everything_in_registers(ptx, nvcc, build_folder, kernel, gpu):
    """No spills and no stack; and as few registers as the wanted threads of an SM leave.

    An SM has 65,536 registers. What streams hides the memory's latency with 1,024 threads; the
    products of TokenMerge do with 512, as tiles of a matrix product do.
    """
    ptxas = Path(nvcc).resolve().with_name("ptxas")
    ptxas = ptxas if ptxas.exists() else shutil.which("ptxas")
    if ptxas is None:
        pytest.skip("no ptxas beside nvcc")
    done = subprocess.run(
        [ptxas, "-v", f"--gpu-name={gpu}", build_folder / f"{kernel}.ptx", "-o", "/dev/null"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    entries = done.stderr.split("Compiling entry function")[1:]
    assert len(entries) == ptx[kernel].count(".entry")
    for entry in entries:
        assert "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in entry
        registers = int(re.search(r"Used (\d+) registers", entry)[1])
        assert registers <= (128 if "matchKernel" in entry else 64), entry


def test_headers_of_the_kernels_need_no_tensorrt(nvcc):
    for header in compilers.SOURCES.glob("*/*_kernel.h"):
        listed = subprocess.run(
            ["cc", "-M", str(header)], capture_output=True, text=True, check=True
        ).stdout
        names = [Path(word).name for word in listed.split()]
        assert header.name in names
        assert not any(name.startswith(("NvInfer", "cuda")) for name in names)
