import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.token_halt import token_halt
from tests.plugins import samples
from tests.plugins.onnx_models import OUTPUTS, one_node_model, run


@settings(max_examples=40, deadline=None)
@given(
    samples.seeds,
    samples.batches,
    samples.tokens,
    samples.widths,
    samples.dtypes,
    samples.live_patterns,
    st.sampled_from([0, 1]),
    st.sampled_from(["packed", "dense", "reduced"]),
)
def test_function_body_equals_reference(seed, B, K, D, dtype, pattern, last, layout):
    reduce = layout == "reduced"
    shape = (K,) if layout == "packed" else (B, K)
    feeds = samples.halt_inputs(seed, shape, D, dtype, pattern)
    attributes = {"alpha": 2.0, "beta": -1.0, "last": last}
    wanted = dict(
        zip(OUTPUTS["TokenHalt"], token_halt(**feeds, **attributes, reduce=reduce), strict=True)
    )
    op = "TokenHaltSum" if reduce else "TokenHalt"
    got = run(one_node_model(op, feeds, wanted, **attributes), feeds)
    # Sigmoid is rounded differently by each runtime; where a token sits on the edge within that
    # rounding, its decision is not compared.
    edge = np.abs(wanted["cum_next"] - (1 - feeds["epsilon"])) < 1e-5
    np.testing.assert_array_equal(got["live_next"][~edge], wanted["live_next"][~edge])
    for name in ("hist_next", "cum_next") if edge.any() else ("readout", "hist_next", "cum_next"):
        np.testing.assert_allclose(got[name], wanted[name], atol=1e-5 * max(1, K), rtol=1e-5)
        assert got[name].dtype == np.float32


def test_bit_equal_where_the_sigmoid_is_exact():
    """sigmoid(0) is exactly one half everywhere."""
    feeds = samples.halt_inputs(3, (2, 33), 5, np.float32, "some")
    attributes = {"alpha": 0.0, "beta": 0.0, "last": 0}
    wanted = token_halt(**feeds, **attributes, reduce=False)
    names = dict(zip(OUTPUTS["TokenHalt"], wanted, strict=True))
    got = run(one_node_model("TokenHalt", feeds, names, **attributes), feeds)
    for name, array in names.items():
        np.testing.assert_array_equal(got[name], array, strict=True)
