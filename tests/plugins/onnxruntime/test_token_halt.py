import numpy as np
import pytest

from plugins.packed_halt import packed_token_halt
from plugins.token_halt import token_halt
from tests.plugins import samples

ATTRIBUTES = {"alpha": 2.0, "beta": -1.0}


def assert_close(got, wanted, edge):
    """Sigmoid is rounded differently: decisions on the edge, and what hangs on them, may differ."""
    readout, hist, cum, live = got
    np.testing.assert_allclose(hist, wanted[1], atol=1e-6)
    np.testing.assert_allclose(cum, wanted[2], atol=1e-6)
    np.testing.assert_array_equal(live[~edge], wanted[3][~edge])
    assert [array.dtype for array in got] == [array.dtype for array in wanted]
    assert [array.shape for array in got] == [array.shape for array in wanted]
    if not edge.any():
        np.testing.assert_allclose(readout, wanted[0], atol=1e-5 * max(1, live.shape[-1]))


def edge_of(feeds, wanted):
    return np.abs(wanted[2] - (1 - feeds["epsilon"])) < 1e-5


@pytest.mark.parametrize("pattern", samples.LIVE_PATTERNS)
@pytest.mark.parametrize("K", samples.TOKENS)
def test_halting_equals_the_reference(native, K, pattern):
    for seed, layout in enumerate(("packed", "dense", "sum")):
        shape = (K,) if layout == "packed" else (2, K)
        for D, last in ((1, 0), (17, 1), (384, 0)):
            feeds = samples.halt_inputs(seed, shape, D, np.float32, pattern)
            attributes = {**ATTRIBUTES, "last": last}
            wanted = token_halt(**feeds, **attributes, reduce=layout == "sum")
            op = "TokenHaltSum" if layout == "sum" else "TokenHalt"
            for threads in (1, 2):
                got = native.run(op, feeds, threads, **attributes)
                assert_close(got, wanted, edge_of(feeds, wanted))


def packed_inputs(seed, B, K, D, pattern):
    dense = samples.halt_inputs(seed, (B, K), D, np.float32, pattern)
    index = np.flatnonzero(dense["live"])
    return {
        "x": dense["x"].reshape(-1, D)[index],
        "index": index,
        **{name: dense[name] for name in ("size", "hist", "cum", "epsilon")},
    }


@pytest.mark.parametrize("pattern", samples.LIVE_PATTERNS)
@pytest.mark.parametrize("K", samples.TOKENS)
def test_packed_halting_equals_the_reference(native, K, pattern):
    for seed, (D, last) in enumerate(((1, 0), (17, 1), (384, 0))):
        feeds = packed_inputs(seed, 3, K, D, pattern)
        attributes = {**ATTRIBUTES, "last": last}
        wanted = packed_token_halt(**feeds, **attributes)
        got = native.run("PackedTokenHalt", feeds, **attributes)
        assert_close(got, wanted, edge_of(feeds, wanted))


def test_bit_equal_where_the_sigmoid_is_exact(native):
    """sigmoid(0) is exactly one half everywhere."""
    attributes = {"alpha": 0.0, "beta": 0.0, "last": 0}
    feeds = samples.halt_inputs(3, (2, 33), 5, np.float32, "some")
    wanted = token_halt(**feeds, **attributes, reduce=False)
    for mine, other in zip(native.run("TokenHalt", feeds, **attributes), wanted, strict=True):
        np.testing.assert_array_equal(mine, other, strict=True)
