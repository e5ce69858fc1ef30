"""Domain and versions that every op has in common."""

from __future__ import annotations

from typing import Final

from spikehalt.vocabulary import OP_DOMAIN, OP_VERSION

DOMAIN: Final = OP_DOMAIN
"""ONNX domain of the ops and TensorRT namespace of their plugins."""
VERSION: Final = OP_VERSION
"""Version of the domain, and of every plugin in it."""
MICROSOFT: Final = "com.microsoft"
"""ONNX domain of ONNX Runtime's own ops, which it has everywhere."""
OPSET: Final = 18
"""Default ONNX opset of the function bodies."""
IR_VERSION: Final = 8
"""ONNX IR version that TensorRT 10.3 (JetPack 6) parses together with `OPSET`."""
