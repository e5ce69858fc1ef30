"""SpikeLinear and SpikeConv: listed and dense rows, alone and in one batch, every bit."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from plugins.spike_conv import spike_conv, spike_conv_integer
from plugins.spike_linear import spike_linear, spike_linear_integer
from tests.plugins import samples
from tests.plugins.onnxruntime.nodes import Native, assert_equal

# Rows, inputs, outputs: on both sides of the edges of groups of rows, blocks of bytes, blocks of
# inputs (one up to 1,295, two up to 2,159) and tiles.
LINEAR = [
    (0, 3, 2), (1, 1, 1), (5, 63, 31), (6, 64, 32), (7, 65, 33), (24, 100, 64),
    (25, 130, 65), (49, 40, 385), (13, 260, 96), (2, 4096, 3), (9, 3456, 200),
    (3, 1295, 33), (3, 1296, 64), (3, 1297, 96), (4, 2161, 97),
]  # fmt: skip
CONV = [
    (0, 3, 3, 2, 4), (1, 1, 1, 1, 1), (2, 1, 5, 3, 7), (1, 5, 1, 7, 33), (2, 8, 9, 24, 48),
    (1, 33, 2, 16, 96), (3, 3, 65, 2, 3), (1, 4, 5, 145, 40), (1, 3, 4, 384, 70),
]  # fmt: skip
DENSITIES = (0.0, 0.05, 0.2, 0.5, 1.0)


@pytest.mark.parametrize("size", LINEAR, ids=str)
def test_linear_layers_equal_the_references(native, size):
    check_linear(native, size)


@pytest.mark.parametrize("size", CONV, ids=str)
def test_convolutions_equal_the_references(native, size):
    check_conv(native, size)


def check_linear(native, size):
    M, inputs, outputs = size
    rng = np.random.default_rng(M)
    for density in DENSITIES:
        feeds = samples.layer(rng, (M, inputs), inputs, outputs, density=density)
        assert_equal(native.run("SpikeLinear", feeds), spike_linear(**feeds))
        for highest in (1, 7, 255):
            feeds = with_scale(
                rng,
                samples.integer_layer(
                    rng, (M, inputs), inputs, outputs, density=density, highest=highest
                ),
            )
            for threads in (1, 2):
                got = native.run("SpikeLinearInteger", feeds, threads)
                assert_equal(got, spike_linear_integer(**feeds))


def check_conv(native, size):
    *shape, outputs = size
    rng = np.random.default_rng(outputs)
    for density in DENSITIES:
        inputs = 9 * shape[3]
        feeds = samples.layer(rng, tuple(shape), inputs, outputs, density=density)
        assert_equal(native.run("SpikeConv", feeds), spike_conv(**feeds))
        for highest in (1, 255):
            feeds = samples.integer_layer(
                rng, tuple(shape), inputs, outputs, density=density, highest=highest
            )
            for threads in (1, 2):
                got = native.run("SpikeConvInteger", feeds, threads)
                assert_equal(got, spike_conv_integer(**feeds))


def with_scale(rng, feeds):
    outputs = feeds["weight"].shape[1]
    scale, bias = rng.random(outputs, np.float32), rng.normal(size=outputs).astype(np.float32)
    return {**feeds, "scale": scale, "bias": bias}


def test_dense_rows_in_a_sparse_batch_and_empty_ones_in_a_dense(native):
    rng = np.random.default_rng(0)
    feeds = with_scale(rng, samples.integer_layer(rng, (40, 200), 200, 70, density=0.05))
    feeds["x"][::7] = 255
    feeds["x"][3::7] = 0
    assert_equal(native.run("SpikeLinearInteger", feeds), spike_linear_integer(**feeds))


def test_accumulators_at_their_limits(native):
    """The largest sum of a convolution of 1536 channels, and the smallest."""
    x = np.full((1, 3, 3, 1536), 255, np.uint8)
    for weight in (127, -128):
        feeds = {"x": x, "weight": np.full((9 * 1536, 2), weight, np.int8)}
        (sums,) = native.run("SpikeConvInteger", feeds)
        assert (sums[0, 1, 1] == 255 * weight * 9 * 1536).all()


@pytest.mark.parametrize("break_even", ["0", "1"])
def test_the_choice_changes_no_bit(native, break_even):
    """Never listing where that can be, and always."""
    done = run_in_process(native, SPIKEHALT_BREAK_EVEN=break_even)
    assert done.returncode == 0, done.stderr


def test_every_set_of_instructions_gives_the_same(native):
    done = run_in_process(native, SPIKEHALT_INSTRUCTIONS="mmx")
    assert done.returncode != 0
    refusal = re.search(r"SPIKEHALT_INSTRUCTIONS is 'mmx', but this CPU runs (.+)\.", done.stderr)
    assert refusal is not None, done.stderr
    sets = refusal[1].split(", ")
    assert sets[-1] == "plain"
    for each in sets:
        done = run_in_process(native, SPIKEHALT_INSTRUCTIONS=each)
        assert done.returncode == 0, f"{each}: {done.stderr}"


def run_in_process(native, **variables):
    """This file's checks in a process of their own, since the library reads its variables once."""
    return subprocess.run(
        [sys.executable, "-m", __name__, native.library],
        env={**os.environ, **variables}, capture_output=True, text=True,
    )  # fmt: skip


if __name__ == "__main__":
    library = Native(sys.argv[1])
    for each in (*LINEAR[4:7], LINEAR[-1]):
        check_linear(library, each)
    for each in (*CONV[3:6], CONV[-2]):
        check_conv(library, each)
