import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.patches import patches
from tests.plugins import samples
from tests.plugins.onnx_models import one_node_model, run

sides = st.integers(1, 9)


@settings(max_examples=25, deadline=None)
@given(samples.seeds, samples.batches, sides, sides, samples.widths)
def test_function_body_equals_reference(seed, B, H, W, C):
    x = np.random.default_rng(seed).integers(0, 256, (B, H, W, C), np.uint8)
    (neighbours,) = patches(x)
    got = run(one_node_model("Patches", {"x": x}, {"neighbours": neighbours}), {"x": x})
    np.testing.assert_array_equal(got["neighbours"], neighbours, strict=True)


def test_a_product_with_the_neighbours_is_a_convolution():
    import torch

    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, (2, 6, 7, 3)).astype(np.uint8)
    weight = rng.integers(-3, 4, (4, 3, 3, 3)).astype(np.float32)
    matrix = weight.transpose(2, 3, 1, 0).reshape(27, 4)
    found = patches(x)[0].astype(np.float32) @ matrix
    planes = torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32))
    wanted = torch.conv2d(planes, torch.from_numpy(weight), padding=1)
    np.testing.assert_array_equal(found, wanted.numpy().transpose(0, 2, 3, 1))


def test_images_have_four_axes():
    with pytest.raises(ValueError, match=r"\[B, H, W, C\]"):
        patches(np.zeros((3, 3, 1), np.uint8))
