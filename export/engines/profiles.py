"""Batch profiles: which shapes an engine is built for, from the symbolic axes of a graph's inputs.

    B                    images: one or several ranges between MIN and MAX, or fixed
    M_blockN             rows of a lagged graph: one step to all tokens of the range's largest batch
    B_previous,          states come in buffers of the largest size, of which only rows that were
    M_previous_blockN    written are read: fixed

What is fixed is written into the graph, so that the builder sees a static shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import onnx

from export.errors import UnsupportedError

ROW_STEP = 64
"""Row lists are padded to a multiple of this: a tile of the matrix products."""
INTEGER_PRODUCTS = (
    "MatMulInteger", "MatMulIntegerToFloat", "SpikeLinearInteger", "SpikeConvInteger",
)  # fmt: skip
"""Ops of export/graph/layers/products.py, which imports PyTorch and this does not."""
Dims = tuple[int, ...]


@dataclass(frozen=True)
class BatchRange:
    """Numbers of images an engine takes.

    Attributes:
        smallest: at least so many.
        typical: what it is tuned for.
        largest: at most so many.
    """

    smallest: int
    typical: int
    largest: int

    @classmethod
    def parse(cls, text: str) -> BatchRange:
        """Read `N` or `MIN:OPT:MAX`.

        Raises:
            UnsupportedError: it is neither, or not 1 <= MIN <= OPT <= MAX.
        """
        parts = text.split(":")
        numbers = [int(part) for part in parts if part.isascii() and part.isdigit()]
        if len(numbers) != len(parts) or len(parts) not in (1, 3):
            raise UnsupportedError(f"batch {text!r} is not N or MIN:OPT:MAX, such as 8 or 1:8:32")
        sizes = numbers * 3 if len(numbers) == 1 else numbers
        if not 1 <= sizes[0] <= sizes[1] <= sizes[2]:
            raise UnsupportedError(f"batch {text!r} must be 1 <= MIN <= OPT <= MAX")
        return cls(*sizes)

    @property
    def is_static(self) -> bool:
        """Whether there is one size only."""
        return self.smallest == self.largest

    def split(self) -> tuple[BatchRange, ...]:
        """Up to three ranges that meet at MIN and OPT, each tuned for its largest size."""
        ends = sorted({self.smallest, self.typical, self.largest})
        starts = [self.smallest, *(end + 1 for end in ends[:-1])]
        return tuple(BatchRange(a, b, b) for a, b in zip(starts, ends, strict=True))

    def __str__(self) -> str:
        sizes = (self.smallest, self.typical, self.largest)
        return str(self.largest) if self.is_static else ":".join(map(str, sizes))


@dataclass(frozen=True)
class InputProfile:
    """Smallest, typical and largest shape of one input."""

    smallest: Dims
    typical: Dims
    largest: Dims


@dataclass(frozen=True)
class ShapedGraph:
    """A graph ready for the builder.

    Attributes:
        model: the graph, fixed axes written in.
        ranges: numbers of images of every profile, ascending.
        profiles: per range the shapes of every input that has a free axis.
        rows: most rows of every input `rows.blockN`.
    """

    model: onnx.ModelProto
    ranges: tuple[BatchRange, ...]
    profiles: tuple[Mapping[str, InputProfile], ...]
    rows: Mapping[str, int]


def shape_graph(
    model: onnx.ModelProto, ranges: tuple[BatchRange, ...], tokens_per_block: tuple[int, ...]
) -> ShapedGraph:
    """Fix what can be fixed and list the shapes of the rest.

    Args:
        model: a graph of a bundle; not changed.
        ranges: numbers of images, one optimization profile each, ascending.
        tokens_per_block: K_l.

    Raises:
        UnsupportedError: the graph's shapes depend on the data (packed layout), or it has integer
            products, which are for ONNX Runtime on a CPU.
    """
    refuse_packed(model)
    refuse_integer_products(model)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    most = ranges[-1].largest
    fixed = {"B_previous": most}
    if ranges[0].smallest == most:
        fixed["B"] = most
    for number, slots in enumerate(tokens_per_block, 1):
        fixed[f"M_previous_block{number}"] = row_bucket(most * slots)
    _fix(copy, fixed)
    profiles = tuple(_profile(copy, batch, tokens_per_block) for batch in ranges)
    rows = {n: p.largest[0] for n, p in profiles[-1].items() if n.startswith("rows.")}
    return ShapedGraph(copy, ranges, profiles, rows)


def row_bucket(tokens: int) -> int:
    """Rows for so many tokens: one of padding at least, and a multiple of `ROW_STEP`."""
    return -(-(tokens + 1) // ROW_STEP) * ROW_STEP


def refuse_packed(model: onnx.ModelProto) -> None:
    """Refuse a graph whose shapes depend on the data.

    Raises:
        UnsupportedError: it packs tokens; says which layouts to use.
    """
    for node in model.graph.node:
        if node.op_type == "TokenPack":
            raise UnsupportedError(
                f"{model.graph.name}.onnx has the packed layout: node {node.name} makes shapes "
                "that depend on the data, which engines cannot have; export with --layout dense "
                "or --layout lagged"
            )


def refuse_integer_products(model: onnx.ModelProto) -> None:
    """Refuse a graph in int8 as ONNX Runtime's CPU runs it.

    Raises:
        UnsupportedError: it has products of bytes; says how to export for engines.
    """
    if any(node.op_type in INTEGER_PRODUCTS for node in model.graph.node):
        raise UnsupportedError(
            f"{model.graph.name}.onnx has int8 products for ONNX Runtime on a CPU, which engines "
            "do not have: export the checkpoint again with --int8 --target tensorrt or "
            "tensorrt-rtx, or with --int8 --qdq --layout lagged to build elsewhere"
        )


def _fix(model: onnx.ModelProto, values: Mapping[str, int]) -> None:
    """Write the values of symbolic axes into the inputs' shapes."""
    for value in model.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in values:
                dim.dim_value = values[dim.dim_param]


def _profile(
    model: onnx.ModelProto, batch: BatchRange, tokens_per_block: tuple[int, ...]
) -> dict[str, InputProfile]:
    """Shapes of the inputs with a free axis, for one range of batches."""
    free = {"B": (batch.smallest, batch.typical, batch.largest)}
    for number, slots in enumerate(tokens_per_block, 1):
        # Any number of tokens may be left, down to none.
        sizes = (0, batch.typical * slots, batch.largest * slots)
        free[f"M_block{number}"] = tuple(row_bucket(size) for size in sizes)  # type: ignore[assignment]
    profile = {}
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        if any(dim.dim_param for dim in dims):
            profile[value.name] = InputProfile(*(_at(dims, free, i) for i in range(3)))
    return profile


def _at(dims: Iterable[Any], free: Mapping[str, tuple[int, int, int]], which: int) -> Dims:
    """The shape with its free axes at their smallest (0), typical (1) or largest (2)."""
    return tuple(free[d.dim_param][which] if d.dim_param else d.dim_value for d in dims)
