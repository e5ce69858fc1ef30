"""The products of one timestep in a graph of their own: what no layout of tokens can go below.

Every block's linear layers, with as many rows as the block has live tokens; block 1's q/k/v is
computed once per image, so it is not among them. Half of the rows are half of the arithmetic, but
all weights are read whatever the rows.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto

from benchmarks.cpu.worker import session
from export.fold.exact import SPIKES, quantise
from export.graph.builder import GraphBuilder
from export.graph.layers import products as int8_product
from train.config import ModelConfig

RUNS = 60


class Products:
    """All of them in one session, one thread.

    Args:
        config: the network.
        int8: products of bytes.
    """

    def __init__(self, config: ModelConfig, *, int8: bool) -> None:
        self._dtype = np.uint8 if int8 else np.float32
        graph, self._inputs = GraphBuilder("products"), _layers(config)
        for name, (block, width, out) in self._inputs.items():
            kind = TensorProto.UINT8 if int8 else TensorProto.FLOAT
            x = graph.input(f"{name}_in", kind, [f"M{block}", width])
            y = _product(graph, x, name, width, out, int8=int8)
            graph.output(f"{name}_out", y, TensorProto.FLOAT, [f"M{block}", out])
        self._session = session(graph.model([], "benchmark").SerializeToString(), 1)

    def ms(self, rows: Sequence[int]) -> float:
        """Median milliseconds of process time with so many rows in each block."""
        binding, times = self._bound(rows), []
        for _ in range(RUNS):
            begin = time.process_time()
            self._session.run_with_iobinding(binding)
            times.append(time.process_time() - begin)
        return 1e3 * statistics.median(times)

    def _bound(self, rows: Sequence[int]) -> onnxruntime.IOBinding:
        binding = self._session.io_binding()
        for name, (block, width, _) in self._inputs.items():
            binding.bind_cpu_input(f"{name}_in", np.ones((rows[block - 1], width), self._dtype))
            binding.bind_output(f"{name}_out")
        return binding


def _layers(config: ModelConfig) -> dict[str, tuple[int, int, int]]:
    """Block, width in and width out of each layer, by name."""
    dim, hidden = config.dim, config.hidden
    sizes = {"qkv": (dim, 3 * dim), "proj": (dim, dim), "fc1": (dim, hidden), "fc2": (hidden, dim)}
    return {
        f"{name}{block}": (block, *size)
        for block in range(1, config.depth + 1)
        for name, size in sizes.items()
        if (block, name) != (1, "qkv")
    }


def _product(graph: GraphBuilder, x: str, name: str, width: int, out: int, *, int8: bool) -> str:
    weight, bias = _random(name, width, out), np.zeros(out, np.float32)
    if int8:
        return int8_product.current(graph, x, SPIKES, quantise(weight), bias, name)
    return graph.op("Gemm", x, graph.const(weight), graph.const(bias), name=name)


def _random(name: str, width: int, out: int) -> NDArray[np.float32]:
    """Weights of their own for every layer, or they would stay in the cache."""
    rng = np.random.default_rng([*name.encode()])
    return rng.normal(0, 1, (width, out)).astype(np.float32)
