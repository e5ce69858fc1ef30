"""The project's own ops.

LIF, TokenHalt, TokenHaltSum and TokenMerge have TensorRT plugins; PackedLIF, PackedTokenHalt,
TokenPack, SpikeAttention, SpikeCount and Patches are for CPUs. Each op folder holds the contract
(`op.yaml`), a numpy reference (`reference.py`), an ONNX function body of standard ops
(`function.py`) and the kernels. Importing this package needs numpy alone; onnx is imported by the
functions that make ONNX objects.
"""

import spikehalt  # noqa: F401  first of all: it switches the telemetry of libraries off
from plugins.common.contract import (
    DOMAIN,
    IR_VERSION,
    OP_NAMES,
    OPSET,
    PLUGIN_OPS,
    VERSION,
    OpAttributeError,
    node_attributes,
)
from plugins.common.registry import Bodies, onnx_functions, reference_ops

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
