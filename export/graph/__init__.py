"""Folded networks to ONNX graphs, node by node."""
