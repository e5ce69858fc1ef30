"""Layers with weights, in each precision.

convs       convolutions, dense ones and those of spikes
products    integer products, for ONNX Runtime
qdq         the same as Q/DQ pairs, for engines
"""
