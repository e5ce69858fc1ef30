"""What to make of a checkpoint: one set of options, from the arguments to the graphs."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from export.errors import UnsupportedError
from spikehalt.commands import whole
from spikehalt.vocabulary import LAYOUTS, Layout, Precision

if TYPE_CHECKING:
    from train.config import ModelConfig

AUTO: Final = "auto"
LayoutOption = Literal[Layout, "auto"]


@dataclass(frozen=True)
class ExportOptions:
    """What to make of a checkpoint.

    Attributes:
        chunk: timesteps per graph, a divisor of T; exit decisions fall between chunks.
        layout: `packed`, `dense`, `lagged` (design section 5), or `auto`: see
            export/choose_layout.py.
        precision: of weights and activations; in int8 activations are exact, weights are rounded
            per output channel, and what is not integer is float32.
        qdq: with int8: for engines (export/graph/layers/qdq.py), not for ONNX Runtime on a CPU.
        merge_gamma: tokens merged per block in place of the checkpoint's merging; None keeps it.
        merge_threshold: similarity from which tokens merge, in place of it; None keeps it.
        live_masks: also give out which token slots ran, for heat maps; bundles in the lagged
            layout always do.
        instrument: also count the operations that each image's spikes cause, for measured energy
            estimates; costs a little time (export/graph/observers/operations.py).
        spikes: also give out every neuron's spikes, for comparisons
            (export/graph/observers/spikes.py).
        inline_functions: put the bodies of the project's ops in their place, for programs that
            know standard ops alone (export/graph/inline.py).
        spike_ops: SpikeLinear and SpikeConv where activations are spikes or small integers, in
            graphs for ONNX Runtime on a CPU.
        engine_batch: most images of the engines that are built next; None where none are.
    """

    chunk: int = 1
    layout: LayoutOption = "auto"
    precision: Precision = "fp32"
    qdq: bool = False
    merge_gamma: int | None = None
    merge_threshold: float | None = None
    live_masks: bool = True
    instrument: bool = False
    spikes: bool = False
    inline_functions: bool = False
    spike_ops: bool = True
    engine_batch: int | None = None

    @property
    def int8(self) -> bool:
        """Weights rounded to int8 and products of bytes."""
        return self.precision == "int8"

    @property
    def takes_spike_ops(self) -> bool:
        """Whether the graphs take them: those of engines, in float16 and of comparisons do not."""
        for_engines = self.qdq or self.engine_batch is not None
        return self.spike_ops and not (for_engines or self.precision == "fp16" or self.spikes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float16: of all that is not integer."""
        return np.dtype(np.float16 if self.precision == "fp16" else np.float32)

    def applied_to(self, model: ModelConfig) -> ModelConfig:
        """The model as it is exported."""
        if self.merge_threshold is not None:
            return model.merged_at(self.merge_threshold)
        if self.merge_gamma is None:
            return model
        return replace(model, merge_gamma=self.merge_gamma, merge_threshold=0.0)


def add_graph_arguments(p: argparse._ActionsContainer) -> None:
    """Add the arguments that say what graphs are."""
    precision = p.add_mutually_exclusive_group()
    precision.add_argument("--fp16", action="store_true", help="weights and activations in float16")
    precision.add_argument(
        "--int8", action="store_true",
        help="exact activations, rounded weights; for the target's engines, or without one for "
        "ONNX Runtime on a CPU",
    )  # fmt: skip
    p.add_argument(
        "--qdq", action="store_true", help="int8 for engines that are built from the bundle later"
    )
    p.add_argument(
        "--chunk", type=whole(1), default=1, metavar="C",
        help="timesteps per graph (default 1); images leave between graphs",
    )  # fmt: skip
    p.add_argument(
        "--layout", choices=(AUTO, *LAYOUTS), default=AUTO,
        help="packed for ONNX Runtime, dense or lagged for engines (default: what fits the target)",
    )  # fmt: skip
    merging = p.add_mutually_exclusive_group()
    merging.add_argument(
        "--merge-gamma", type=whole(0), metavar="N", help="merge N tokens per block instead"
    )
    merging.add_argument(
        "--merge-threshold", type=float, metavar="T",
        help="merge tokens whose cosine is at least T instead, in (0, 1]; 0 merges none",
    )  # fmt: skip
    p.add_argument(
        "--live-masks", action=argparse.BooleanOptionalAction, default=True,
        help="graphs give out which tokens ran (default), for report, explain and run --annotate",
    )  # fmt: skip
    p.add_argument("--instrument", action="store_true", help="count every image's operations")
    p.add_argument(
        "--inline-functions", action="store_true",
        help="graphs of standard ops alone, for programs without model-local functions; slower",
    )  # fmt: skip
    p.add_argument(
        "--no-spike-ops", dest="spike_ops", action="store_false",
        help="dense layers alone, no ops that pay for spikes only (ONNX Runtime on a CPU)",
    )  # fmt: skip


GRAPH_ARGUMENTS = (
    "fp16", "int8", "qdq", "chunk", "layout", "merge_gamma", "merge_threshold", "live_masks",
    "instrument",
    "inline_functions",
    "spike_ops",
)  # fmt: skip


def export_options(arguments: argparse.Namespace, engine_batch: int | None) -> ExportOptions:
    """The options that were given.

    Args:
        arguments: parsed, of `add_graph_arguments`.
        spike_ops: SpikeLinear and SpikeConv where activations are spikes or small integers, in
            graphs for ONNX Runtime on a CPU.
        engine_batch: most images of the engines that are built next; None where none are.

    Raises:
        UnsupportedError: --qdq without --int8, or --inline-functions with engines.
    """
    if arguments.qdq and not arguments.int8:
        raise UnsupportedError("--qdq says what --int8 is for: give both")
    if arguments.inline_functions and engine_batch is not None:
        raise UnsupportedError(
            "engines are built from the project's ops: leave --inline-functions out, or use "
            "--target onnx"
        )
    return ExportOptions(
        chunk=arguments.chunk,
        layout=arguments.layout,
        precision="int8" if arguments.int8 else "fp16" if arguments.fp16 else "fp32",
        qdq=arguments.int8 and (arguments.qdq or engine_batch is not None),
        merge_gamma=arguments.merge_gamma,
        merge_threshold=arguments.merge_threshold,
        live_masks=arguments.live_masks,
        instrument=arguments.instrument,
        inline_functions=arguments.inline_functions,
        spike_ops=arguments.spike_ops,
        engine_batch=engine_batch,
    )
