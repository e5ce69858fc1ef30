"""The project's own ops: contracts, references, function bodies and kernels.

    ops           the one table: the folders that define ops
    common        contract, function bodies, types: what ops are made of
    cuda          what the CUDA kernels share
    tensorrt      what the plugins of TensorRT share
    onnxruntime   what the kernels of ONNX Runtime share
    building      libraries from the sources
    libraries, loader    where they lie, and how TensorRT loads them
    doctor        the build tools of this machine
    selftest      the kernels on this GPU against their references
    polygraphy    the references, for Polygraphy
    errors        what is raised on purpose

An op's folder exports `OPS` and holds the contract (`op.yaml`), a numpy reference (`reference.py`),
an ONNX function body of standard ops (`function.py`), the kernels and, for CUDA kernels, their part
of the self-test (`selftest.py`). Importing this package needs numpy alone; onnx
is imported by the functions that make ONNX objects.
"""

from typing import TYPE_CHECKING

from spikehalt.packages.lazy import lazily

if TYPE_CHECKING:
    from plugins.common.attributes import OpAttributeError
    from plugins.common.bodies import Bodies
    from plugins.common.contract import DOMAIN, IR_VERSION, OPSET, VERSION
    from plugins.ops import (
        OP_NAMES,
        PLUGIN_OPS,
        SPIKE_OPS,
        node_attributes,
        onnx_functions,
        reference_ops,
    )

__all__ = [
    "DOMAIN",
    "IR_VERSION",
    "OPSET",
    "OP_NAMES",
    "PLUGIN_OPS",
    "SPIKE_OPS",
    "VERSION",
    "Bodies",
    "OpAttributeError",
    "node_attributes",
    "onnx_functions",
    "reference_ops",
]

__getattr__ = lazily(
    __name__,
    {
        "OpAttributeError": "plugins.common.attributes",
        "Bodies": "plugins.common.bodies",
        **dict.fromkeys(["DOMAIN", "IR_VERSION", "OPSET", "VERSION"], "plugins.common.contract"),
        **dict.fromkeys(
            [
                "OP_NAMES",
                "PLUGIN_OPS",
                "SPIKE_OPS",
                "node_attributes",
                "onnx_functions",
                "reference_ops",
            ],
            "plugins.ops",
        ),
    },
)
