"""ONNX Runtime, on processors and on CUDA."""
