"""Emit convolutions: dense ones, channels first, or of spikes, channels last."""

from __future__ import annotations

from typing import Any

from export.fold.folded import FoldedConv
from export.graph.builder import GraphBuilder
from export.graph.layers import products

FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]
# Behind the last pixel of any map.
_FAR = 2**31 - 1


def dense(
    graph: GraphBuilder, x: str, layer: FoldedConv, name: str, bias: str, weight: str = ""
) -> str:
    """[B, C, H, W] -> [B, C', H', W']; `weight` in place of the layer's, if any."""
    kernel = layer.weight.shape[-1]
    attributes: dict[str, Any] = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4}
    if layer.stride > 1:
        attributes["strides"] = [layer.stride] * 2
    if layer.groups > 1:
        attributes["group"] = layer.groups
    weight = weight or graph.const(layer.weight)
    return graph.op("Conv", x, weight, bias, name=name, **attributes)


def of_spikes(
    graph: GraphBuilder, x: str, layer: FoldedConv, name: str, sides: tuple[int, int]
) -> str:
    """[B, H, W, C], which is mostly zero, -> [B, H', W', C'] of the `sides` H' and W'.

    Kernels of 3 x 3 are SpikeConv and those of a pixel SpikeLinear, which pay for spikes alone;
    there is no such op of larger or depth-wise ones, nor of 3 x 3 ones that skip pixels.
    """
    kernel, bias = layer.weight.shape[-1], graph.const(layer.bias)
    if layer.groups == 1 and kernel == 1:
        return _of_pixels(graph, x, layer, name, bias, sides)
    if layer.groups == 1 and kernel == 3 and layer.stride == 1:
        inputs = [x, graph.const(products.as_matrix(layer)), bias]
        return graph.custom("SpikeConv", inputs, 1, name=name)[0]
    planes = graph.op("Transpose", x, perm=FIRST, name=f"{name}_planes")
    current = dense(graph, planes, layer, name, bias)
    return graph.op("Transpose", current, perm=LAST, name=f"{name}_pixels")


def _of_pixels(
    graph: GraphBuilder, x: str, layer: FoldedConv, name: str, bias: str, sides: tuple[int, int]
) -> str:
    outputs, inputs = layer.weight.shape[:2]
    if layer.stride > 1:
        begin, end, axes = graph.ints(0, 0), graph.ints(_FAR, _FAR), graph.ints(1, 2)
        steps = graph.ints(layer.stride, layer.stride)
        x = graph.op("Slice", x, begin, end, axes, steps, name=f"{name}_every")
    rows = graph.op("Reshape", x, graph.ints(-1, inputs), name=f"{name}_rows")
    matrix = graph.const(layer.weight[:, :, 0, 0].T.copy())
    (current,) = graph.custom("SpikeLinear", [rows, matrix, bias], 1, name=name)
    return graph.op("Reshape", current, graph.ints(-1, *sides, outputs), name=f"{name}_map")
