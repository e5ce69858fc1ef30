"""What the host's stand-in for CUDA finds out: races, and threads that wait for ever."""

import subprocess

import pytest

from tests.plugins import compilers

PROGRAM = """
#include <cuda_runtime.h>
#include <cstdio>

// The right neighbour's value through shared memory.
__global__ void shift(int* out, bool synchronized)
{
    __shared__ int values[64];
    values[threadIdx.x] = threadIdx.x;
    if (synchronized) __syncthreads();
    out[threadIdx.x] = values[(threadIdx.x + 1) % 64];
    __syncthreads();
    values[threadIdx.x] = -1;
}

__global__ void wait(int* out, bool everyone)
{
    if (everyone || threadIdx.x != 3) __syncthreads();
    out[threadIdx.x] = 1;
}

int main(int argc, char** argv)
{
    int out[64] = {};
    int* pointer = out;
    bool flag = argv[2][0] == '1';
    void* arguments[] = {&pointer, &flag};
    auto const kernel = argv[1][0] == 's' ? &shift : &wait;
    for (int run = 0; run < 2 && argc == 3; ++run)
    {
        cudaLaunchKernel(kernel, dim3(1), dim3(64), arguments, 0, nullptr);
        cudaStreamSynchronize(nullptr);
    }
    for (int value : out) std::printf("%d ", value);
}
"""
RIGHT = " ".join(str((i + 1) % 64) for i in range(64))


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if compilers.cxx() is None:
        pytest.skip("no C++ compiler: set CXX or install g++ to run kernels on the host")
    source = tmp_path_factory.mktemp("emulation") / "program.cpp"
    source.write_text(PROGRAM)
    arguments = ["-isystem", compilers.EMULATION, source]
    return compilers.compile_cxx(arguments, source.with_name("program"))


def run(program, kernel, flag, order):
    return subprocess.run(
        [program, kernel, flag], capture_output=True, text=True,
        env={"SPIKEHALT_EMULATED_ORDER": order},
    )  # fmt: skip


@pytest.mark.parametrize("order", ["forward", "backward", "1", "2"])
def test_what_is_synchronised_does_not_depend_on_the_order(program, order):
    assert run(program, "shift", "1", order).stdout.strip() == RIGHT


@pytest.mark.parametrize("order", ["forward", "1", "2"])
def test_a_race_shows(program, order):
    assert run(program, "shift", "0", order).stdout.strip() != RIGHT


def test_a_race_may_hide_in_one_order(program):
    """Which is why there are several."""
    found = {order: run(program, "shift", "0", order).stdout for order in ("forward", "backward")}
    assert len(set(found.values())) == 2


def test_a_thread_that_never_comes_is_an_error(program):
    assert run(program, "wait", "1", "forward").returncode == 0
    done = run(program, "wait", "0", "forward")
    assert done.returncode != 0 and "63 threads wait for others" in done.stderr
