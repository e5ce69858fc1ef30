"""Models of one node of ours, run with the native kernels; and what the nodes should give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper

import plugins
from tests.plugins.onnx_models import OUTPUTS

Array = npt.NDArray[Any]


class Native:
    """The library, registered with every session."""

    def __init__(self, library: str) -> None:
        self.library = library

    def session(self, model: onnx.ModelProto, threads: int = 1) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        options.register_custom_ops_library(self.library)
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, ["CPUExecutionProvider"]
        )

    def run(
        self, op: str, feeds: Mapping[str, Array], threads: int = 1, **attributes: Any
    ) -> tuple[Array, ...]:
        """Outputs of a node. Its model has no function body, so nothing but a kernel can run it."""
        session = self.session(bare_model(op, feeds, **attributes), threads)
        return tuple(session.run(None, dict(feeds)))


def bare_model(op: str, feeds: Mapping[str, Array], **attributes: Any) -> onnx.ModelProto:
    """A model of one node without a function body; every axis has a name and no size."""
    node = helper.make_node(op, list(feeds), OUTPUTS[op], domain=plugins.DOMAIN, **attributes)
    inputs = [
        helper.make_tensor_value_info(
            name,
            helper.np_dtype_to_tensor_dtype(array.dtype),
            [f"{name}_{axis}" for axis in range(array.ndim)],
        )
        for name, array in feeds.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in OUTPUTS[op]]
    return helper.make_model(
        helper.make_graph([node], "one_node", inputs, outputs),
        ir_version=plugins.IR_VERSION,
        opset_imports=[
            helper.make_opsetid("", plugins.OPSET),
            helper.make_opsetid(plugins.DOMAIN, plugins.VERSION),
        ],
    )


def assert_equal(got: tuple[Array, ...], wanted: tuple[Array, ...]) -> None:
    """Types, shapes and every bit."""
    assert len(got) == len(wanted)
    for mine, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(mine, other, strict=True)
