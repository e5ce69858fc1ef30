import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plugins
from plugins.common.types import FLOAT, FLOAT16, INT8, SPIKE_DTYPES, UINT8
from plugins.lif import lif
from tests.plugins import samples
from tests.plugins.onnx_models import one_node_model, run


@settings(max_examples=40, deadline=None)
@given(
    samples.seeds,
    samples.tokens,
    samples.widths,
    samples.dtypes,
    st.sampled_from([FLOAT, FLOAT16, INT8, UINT8]),
    st.sampled_from(["hard", "soft"]),
    st.integers(1, 4),
    st.booleans(),
)
def test_function_body_equals_reference(seed, K, D, dtype, spike_type, reset, steps, one_value):
    rng = np.random.default_rng(seed)
    leading = (steps,) if steps > 1 else ()
    x = samples.dyadic(rng, (*leading, K, D), dtype)
    v = np.full(1, 0.25, dtype) if one_value else samples.dyadic(rng, (K, D), dtype)
    attributes = {"decay": 0.5, "threshold": 0.75, "v_reset": 0.125, "reset": reset, "steps": steps}
    spike, v_next = lif(x, v, spike_type=SPIKE_DTYPES[spike_type], **attributes)
    model = one_node_model(
        "LIF", {"x": x, "v": v}, {"spike": spike, "v_next": v_next},
        spike_type=spike_type, **attributes,
    )  # fmt: skip
    got = run(model, {"x": x, "v": v})
    np.testing.assert_array_equal(got["spike"], spike, strict=True)
    np.testing.assert_array_equal(got["v_next"], v_next, strict=True)


def test_one_step_in_float32_is_five_operations():
    """Mul, Add, GreaterOrEqual, Where, Cast; the casts of a float32 model must vanish."""
    import onnxruntime

    x = np.zeros((2, 3), np.float32)
    spike, v_next = lif(x, x, decay=0.5, threshold=1.0)
    model = one_node_model(
        "LIF", {"x": x, "v": x}, {"spike": spike, "v_next": v_next}, decay=0.5, threshold=1.0
    )
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    session.run(None, {"x": x, "v": x})
    assert _kernels(session.end_profiling()) == ["Add", "Cast", "GreaterOrEqual", "Mul", "Where"]


def test_a_body_for_an_unknown_reset_is_refused():
    with pytest.raises(plugins.OpAttributeError, match="'hard', 'soft'"):
        plugins.onnx_functions(plugins.Bodies(reset="zero"))


def _kernels(profile):
    import json
    from pathlib import Path

    events = json.loads(Path(profile).read_text())
    Path(profile).unlink()
    return sorted(
        event["args"]["op_name"] for event in events if event["name"].endswith("kernel_time")
    )
