"""The project's own ops.

`ops` is their table. Each op has a folder with its row (`op.py`), its contract (`op.yaml`), a numpy
reference (`reference.py`), an ONNX function body of standard ops (`function.py`) and its kernels.

common        what ops are made of; it imports none of them
onnxruntime   what the kernels for ONNX Runtime on CPUs share
cuda          what the CUDA kernels share
tensorrt      what the TensorRT plugins share
building      libraries from the sources
selftest      the CUDA kernels on this GPU against their references
libraries     where the libraries lie; `loader` loads the plugins into TensorRT
polygraphy    the references in Polygraphy

Importing this package needs numpy alone; onnx is imported by the functions that make ONNX objects.
"""

from plugins.common.attributes import OpAttributeError
from plugins.common.bodies import Bodies
from plugins.common.contract import DOMAIN, IR_VERSION, OPSET, VERSION
from plugins.ops import OP_NAMES, PLUGIN_OPS, node_attributes, onnx_functions, reference_ops

__all__ = [
    "DOMAIN",
    "IR_VERSION",
    "OPSET",
    "OP_NAMES",
    "PLUGIN_OPS",
    "VERSION",
    "Bodies",
    "OpAttributeError",
    "node_attributes",
    "onnx_functions",
    "reference_ops",
]
