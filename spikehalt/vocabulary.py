"""Names that several parts use, each with one meaning."""

from __future__ import annotations

from typing import Literal, get_args

Arch = Literal["spikformer", "spikingformer", "sdt", "maxformer", "qkformer", "espikeformer"]
StemKind = Literal["sps", "isps"]
InputKind = Literal["image", "frames"]
HaltingMode = Literal["none", "block", "block_time"]
Precision = Literal["fp32", "fp16", "int8"]
Layout = Literal["packed", "dense", "lagged"]
Fit = Literal["resize", "crop", "resize_crop"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Orientation = Literal["upright", "stored"]
ChannelOrder = Literal["rgb", "bgr"]

ARCHITECTURES: tuple[Arch, ...] = get_args(Arch)
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

# ONNX domain and TensorRT plugin namespace of the project's ops, and their version.
OP_DOMAIN = "spikehalt"
OP_VERSION = 1
