"""The messages of onnx.proto: which fields each may have, as `protobuf.fields` asks.

Stated here, and compared with the package onnx by a test, since the runtime does not need onnx.
"""

from __future__ import annotations

from runtime.backends.onnxruntime.protobuf import BYTES, FIXED32, FIXED64, VARINT, Known

# One word a field: its number; then * where it repeats; then what it is: s a string or bytes, i an
# integer, f a float, d a double, or the name of a message below.
_FIELDS = {
    "Model": "1i 8*OperatorSetId 2s 3s 4s 5i 6s 7Graph 14*StringStringEntry 20*TrainingInfo "
    "25*Function 26*DeviceConfiguration",
    "OperatorSetId": "1s 2i",
    "Graph": "1*Node 2s 5*Tensor 15*SparseTensor 10s 11*ValueInfo 12*ValueInfo 13*ValueInfo "
    "14*TensorAnnotation 16*StringStringEntry",
    "Node": "1*s 2*s 3s 4s 7s 8s 5*Attribute 6s 9*StringStringEntry 10*NodeDeviceConfiguration",
    "Attribute": "1s 21s 13s 20i 2f 3i 4s 5Tensor 6Graph 22SparseTensor 14Type 7*f 8*i 9*s "
    "10*Tensor 11*Graph 23*SparseTensor 15*Type",
    "Tensor": "1*i 2i 3Segment 4*f 5*i 6*s 7*i 8s 12s 9s 13*StringStringEntry 14i 10*d 11*i "
    "16*StringStringEntry",
    "Segment": "1i 2i",
    "StringStringEntry": "1s 2s",
    "SparseTensor": "1Tensor 2Tensor 3*i",
    "Type": "1Type.Tensor 4Sequence 5Map 9Optional 8Type.SparseTensor 7Opaque 6s",
    "Type.Tensor": "1i 2TensorShape",
    "TensorShape": "1*Dimension",
    "Dimension": "1i 2s 3s",
    "Sequence": "1Type",
    "Map": "1i 2Type",
    "Optional": "1Type",
    "Type.SparseTensor": "1i 2TensorShape",
    "Opaque": "1s 2s",
    "NodeDeviceConfiguration": "1s 2*ShardingSpec 3i",
    "ShardingSpec": "1s 2*i 3*IntIntListEntry 4*ShardedDim",
    "IntIntListEntry": "1i 2*i",
    "ShardedDim": "1i 2*SimpleShardedDim",
    "SimpleShardedDim": "1i 2s 3i",
    "ValueInfo": "1s 2Type 3s 4*StringStringEntry",
    "TensorAnnotation": "1s 2*StringStringEntry",
    "TrainingInfo": "1Graph 2Graph 3*StringStringEntry 4*StringStringEntry",
    "Function": "1s 4*s 5*s 6*s 11*Attribute 7*Node 8s 9*OperatorSetId 10s 13s 12*ValueInfo "
    "14*StringStringEntry",
    "DeviceConfiguration": "1s 2i 3*s",
}
_WIRES = {"s": BYTES, "i": VARINT, "f": FIXED32, "d": FIXED64}


def _known(words: str) -> dict[int, Known]:
    known = dict[int, Known]()
    for word in words.split():
        kind = word.lstrip("0123456789").lstrip("*")
        number = int(word.removesuffix(kind).rstrip("*"))
        repeats, scalar = "*" in word, kind in _WIRES
        known[number << 3 | _WIRES.get(kind, BYTES)] = Known("" if scalar else kind, not repeats)
        if repeats and scalar and kind != "s":  # packed
            known[number << 3 | BYTES] = Known("", False)
    return known


MESSAGES = {name: _known(words) for name, words in _FIELDS.items()}
