"""What a token layout is: which tokens have a row [M, C] in linear layers, and what that takes.

A layout chooses the rows of every block (`Layout`); the rows know how to get to the grid
[B, K, C] and back, how attention and halting read them, and where membranes are kept (`Rows`). In
a chunk of several timesteps (export/graph/steps.py) B counts the images of all of them, timestep
after timestep.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

from export.graph.chunk import Chunk
from export.graph.membranes import Membrane
from export.graph.steps import PerStep


@dataclass(frozen=True)
class Standing:
    """What a halting decision looks at beside the tokens, at one timestep; all [B, K].

    Attributes:
        size: float32, tokens merged into each.
        history: float32, hist_l(t-1).
        cum: float32, C(l-1, t).
        live: int32, 1 = alive.
    """

    size: str
    history: str
    cum: str
    live: str


class Rows(Protocol):
    """Rows [M, C] of one block's tokens, at all timesteps of a chunk."""

    @property
    def block(self) -> int:
        """1-based number of the block."""
        ...

    @property
    def slots(self) -> int:
        """Token slots K."""
        ...

    def to_grid(self, x: str, width: int) -> str:
        """[M, C] -> [B, K, C]; what an absent token gets is zero for rows that are `masked`."""
        ...

    def split(self, x: str) -> list[str]:
        """[M, ...] -> the rows of each timestep."""
        ...

    def masked(self, x: str) -> str:
        """x [M, C] with absent tokens set to zero."""
        ...

    def sum_tokens(self, x: str, width: int) -> str:
        """Masked rows [M, C] -> [B, C]."""
        ...

    def gate(self, x: str, per_image: str, width: int) -> str:
        """x [M, C] times its image's row of [B, C]."""
        ...

    def attend(self, spikes: str, dim: int, heads: int) -> str:
        """(q k^T) v of spikes [M, 3D] -> [M, D]; absent tokens are zero."""
        ...

    def to_neurons(self, current: str, width: int) -> str:
        """A current [M, width] in the shape that neurons see."""
        ...

    def from_neurons(self, spikes: str, width: int) -> str:
        """Spikes of neurons as rows [M, width]."""
        ...

    def membrane(self, name: str, width: int) -> Membrane:
        """Potentials of a neuron on these rows."""
        ...

    def to_halting(self, x: str, width: int) -> list[str]:
        """Tokens x [M, C] as the halting op takes them, timestep by timestep."""
        ...

    def halt(
        self, x: str, step: int, standing: Standing, epsilon: str, **attributes: float
    ) -> list[str]:
        """Decide who halts at one timestep.

        Args:
            x: the timestep's part of `to_halting`.
            step: the timestep, from 0.
            standing: sizes, histories, cumulative scores, who is alive.
            epsilon: float32 [].
            attributes: of the halting op.

        Returns:
            sum_k p_k x_k [B, C], hist [B, K], cum [B, K] and live [B, K].
        """
        ...


class GridRows(ABC):
    """Rows whose absent tokens are masked: attention and halting read the grid [B, K, C].

    Args:
        chunk: the graph and its timesteps.
        block: 1-based number of the block.
        slots: K.
    """

    def __init__(self, chunk: Chunk, block: int, slots: int) -> None:
        self.chunk, self.block, self.slots = chunk, block, slots
        self.graph = chunk.graph

    @abstractmethod
    def to_grid(self, x: str, width: int) -> str:
        """[M, C] -> [B, K, C]."""

    def split(self, x: str) -> list[str]:
        """[M, ...] -> the rows of each timestep, as many at every one."""
        return self.chunk.steps.split(x)

    def sum_tokens(self, x: str, width: int) -> str:
        """Masked rows [M, C] -> [B, C]."""
        grid = self.to_grid(x, width)
        return self.graph.op("ReduceSum", grid, self.graph.ints(1), keepdims=0, name="sum_tokens")

    def spike_attention(self, spikes: str, heads: int) -> str:
        """(q k^T) v of spikes [B * K, 3D] -> [B * K, D]."""
        (mixed,) = self.graph.custom(
            "SpikeAttention", [spikes], 1, name="attention", heads=heads, slots=self.slots
        )
        return mixed

    def to_neurons(self, current: str, width: int) -> str:
        """Neurons see rows."""
        return current

    def from_neurons(self, spikes: str, width: int) -> str:
        """Neurons give rows."""
        return spikes

    def to_halting(self, x: str, width: int) -> list[str]:
        """The grid [B, K, C] of each timestep."""
        return self.chunk.steps.split(self.to_grid(x, width))

    def halt(
        self, x: str, step: int, standing: Standing, epsilon: str, **attributes: float
    ) -> list[str]:
        """See `Rows.halt`."""
        inputs = [x, standing.size, standing.history, standing.cum, standing.live, epsilon]
        return self.graph.custom("TokenHaltSum", inputs, 4, name="halt", **attributes)


class FromGrid(Rows, Protocol):
    """Rows that a grid can be brought to."""

    def from_grid(self, x: str, width: int) -> str:
        """[B, K, C] -> [M, C]."""
        ...


class Layout(ABC):
    """Chooses the rows of every block of one graph.

    Args:
        chunk: the graph and its timesteps.
        holds: an absent token can come back, so its membranes are held (halting mode `block`).

    Attributes:
        can_hold: such models can have this layout.
        needs_live_masks: the runtime makes the next chunk's inputs of them.
        attention_reads_bytes: its attention op takes spikes as bytes, a quarter of the memory.
        for_engines: ONNX Runtime on a CPU has better ones, so ops of CPUs alone are left out.
    """

    can_hold: ClassVar[bool] = False
    needs_live_masks: ClassVar[bool] = False
    attention_reads_bytes: ClassVar[bool] = False
    for_engines: ClassVar[bool] = False

    def __init__(self, chunk: Chunk, *, holds: bool) -> None:
        self.chunk, self.holds = chunk, holds

    @property
    def fuses_steps(self) -> bool:
        """Whether one LIF node takes all timesteps of the chunk.

        All LIF nodes of a graph must agree, since they share one function body.
        """
        return self.chunk.steps.count > 1 and not self.holds

    @abstractmethod
    def entering(self, slots: int) -> FromGrid:
        """Rows of block 1, before which no token halts; all of them."""

    @abstractmethod
    def place(
        self, grid: str, block: int, slots: int, width: int, live: str | None
    ) -> tuple[str, Rows]:
        """Rows of a grid that was merged at the start of a block.

        Args:
            grid: [B, K, width].
            block: its number.
            slots: K.
            width: of the tokens.
            live: int32 [B, K], or None where all are alive.
        """

    def leave(self, rows: Rows) -> None:  # noqa: B027  most layouts have nothing to do
        """The block of these rows is done; who halts behind it does not matter here."""

    @abstractmethod
    def follow(
        self, x: str, rows: Rows, width: int, live: PerStep, *, merges: bool, last: bool
    ) -> tuple[str, Rows]:
        """Rows after a halting decision, for the block after it.

        Args:
            x: rows [M, width] of the block that decided.
            rows: which they are.
            width: of the tokens.
            live: int32 [B, K] per timestep, who goes on.
            merges: the next block merges first, for which it wants this block's grid.
            last: no block follows.
        """
