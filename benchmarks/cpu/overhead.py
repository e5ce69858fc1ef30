"""What halting and merging themselves take of a network's time, per block: ONNX Runtime's profile.

    python -m benchmarks.cpu.overhead                         the zoo's CIFAR-10 models, on noise
    python -m benchmarks.cpu.overhead CKPT.pt --data cifar10.zip --count 500

All timesteps of single images in one graph (`--chunk T`), one thread, native ops, whose nodes are
timed each. A block's nodes are

    network   products, neurons, attention and residuals: what a static network has too
    scores    the halting score of every token, and the decision
    merging   similarity, partners, and the tokens that move to them
    packing   rows of live tokens brought together, and where they lie

Taking the time lengthens every node by about the same, which weighs most on the small ones. So much
is taken off each of them that all nodes together take what the graph takes untimed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from benchmarks.common import command_line, native
from benchmarks.common.table import Row, Table, number, words
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime.bundle import FIRST_GRAPH, Manifest
from runtime.inputs.files import find_samples, load_sample
from spikehalt.commands import Parser, whole
from spikehalt.commands import run as run_command
from spikehalt.datasets.sampling import spread
from train.checkpoint import load_checkpoint

ZOO = Path(__file__).parents[2] / "zoo" / "cifar10-small"
NETWORK, SCORES, MERGING, PACKING = "network", "scores", "merging", "packing"
PARTS = (NETWORK, SCORES, MERGING, PACKING)
OF_THE_NETWORK = {
    "SpikeLinear", "SpikeLinearInteger", "LIF", "PackedLIF", "PackedLIFSteps", "SpikeAttention",
    "PackedAttention", "Add", "Sum",
}  # fmt: skip
OF_SCORES = {"TokenHalt", "TokenHaltSum", "PackedTokenHalt"}
OF_MERGES = ("TokenMerge", "TokenMergeSimilar")
OF_MERGING = ("merge", "cum_kept", "unpack", "pad")

RUN = "_kernel_time"
ROUNDS = 3

Micros = Mapping[tuple[int, str], float]  # (block from 1, part) -> µs an image


class Node(NamedTuple):
    """One run of a node.

    Attributes:
        place: the name of its first output.
        op: its type.
        us: how long it ran.
    """

    place: str
    op: str
    us: float


def main(argv: Sequence[str] | None = None) -> int:
    """Profile every checkpoint, print a table each; returns the exit status."""
    arguments = parser().parse_args(argv)
    ops = native.native_ops(True).path
    for checkpoint in arguments.checkpoints:
        with tempfile.TemporaryDirectory() as folder:
            micros = measure(checkpoint, Path(folder), str(ops), arguments)
        table(checkpoint, arguments).print(rows_of(micros))
    return 0


def parser() -> Parser:
    """The command's arguments."""
    p = command_line.parser("benchmarks.cpu.overhead", __doc__)
    both = [ZOO / "halting.pt", ZOO / "merging.pt"]
    p.add_argument("checkpoints", type=Path, nargs="*", default=both, metavar="CHECKPOINT")
    p.add_argument("--data", help="images: a folder or zip; none: noise")
    p.add_argument("--count", type=whole(1), default=200, help="images (default: 200)")
    return p


def measure(checkpoint: Path, folder: Path, ops: str, arguments: argparse.Namespace) -> Micros:
    """Microseconds of an image's nodes, in one graph for all timesteps."""
    timesteps = load_checkpoint(checkpoint).model.timesteps
    bundle = folder / "bundle"
    options = ExportOptions(chunk=timesteps, layout="packed", live_masks=False)
    manifest = export_bundle(checkpoint, bundle, options).manifest
    model = named(onnx.load(bundle / FIRST_GRAPH))
    images = images_of(manifest, arguments)
    feeds = [
        {"image": image, "epsilon": np.array(manifest.halting.epsilon, np.float32)}
        for image in images
    ]
    plain, timed = session_of(model, ops), session_of(model, ops, str(folder / "profile"))
    seconds(timed, feeds)
    real_us = 1e6 * min(seconds(plain, feeds) for _ in range(ROUNDS))
    events = nodes_of(json.loads(Path(timed.end_profiling()).read_text()))
    return by_part(without_timing(events, real_us), len(images))


def named(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, whose nodes have the names of their first outputs."""
    for node in model.graph.node:
        node.name = next(output for output in node.output if output)
    return model


def images_of(manifest: Manifest, arguments: argparse.Namespace) -> NDArray[Any]:
    """Images [B, 1, ...] one by one: of the data, spread over classes, or noise."""
    spec = manifest.input
    if arguments.data is None:
        shape = (arguments.count, 1, spec.height, spec.width, spec.channels)
        return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    samples = spread(find_samples([arguments.data], spec, "test"), arguments.count)
    return np.stack([load_sample(each, spec)[None] for each in samples])


def session_of(model: onnx.ModelProto, ops: str, profile: str | None = None) -> Any:
    """A session of one thread; the nodes' times go to a file whose name begins with `profile`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.register_custom_ops_library(ops)
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def seconds(session: Any, feeds: Sequence[Mapping[str, NDArray[Any]]]) -> float:
    """Process time of running all images."""
    begin = time.process_time()
    for feed in feeds:
        session.run(None, feed)
    return time.process_time() - begin


def nodes_of(events: Iterable[Mapping[str, Any]]) -> list[Node]:
    """The nodes' runs among a profile's events."""
    return [
        Node(event["name"].removesuffix(RUN), event["args"]["op_name"], event["dur"])
        for event in events
        if event["cat"] == "Node" and event["name"].endswith(RUN)
    ]


def without_timing(nodes: Sequence[Node], real_us: float) -> list[Node]:
    """The same, shorter each by what makes them `real_us` together; none below 0."""
    excess_us = max(0.0, (sum(each.us for each in nodes) - real_us) / len(nodes))
    return [each._replace(us=max(0.0, each.us - excess_us)) for each in nodes]


def by_part(nodes: Iterable[Node], images: int) -> Micros:
    """Mean time by block and part, µs an image; nodes outside blocks are left out."""
    totals: dict[tuple[int, str], float] = defaultdict(float)
    for place, op, us in nodes:
        if place.startswith("block"):
            block = int(place.removeprefix("block").partition("/")[0])
            totals[block, part_of(place, op)] += us / images
    return totals


def part_of(place: str, op: str) -> str:
    """Which of PARTS a node is."""
    if op in OF_SCORES:
        return SCORES
    if op in OF_MERGES or place.rpartition("/")[2].startswith(OF_MERGING):
        return MERGING
    return NETWORK if op in OF_THE_NETWORK else PACKING


def rows_of(micros: Micros) -> list[Row]:
    """One row a block, and one for all of them."""
    blocks = sorted({block for block, _ in micros})
    rows = [
        row_of(f"block {n}", {part: micros.get((n, part), 0.0) for part in PARTS}) for n in blocks
    ]
    total = {part: sum(micros.get((n, part), 0.0) for n in blocks) for part in PARTS}
    return [*rows, row_of("all blocks", total)]


def row_of(name: str, parts: Mapping[str, float]) -> Row:
    """The parts, and the share of what is not the network."""
    share = 1 - parts[NETWORK] / sum(parts.values())
    return Row(name, {**{f"{part}_us": value for part, value in parts.items()}, "share": share})


def table(checkpoint: Path, arguments: argparse.Namespace) -> Table:
    """What `rows_of` gives."""
    columns = [
        words("µs an image"),
        *[number(part, f"{part}_us", ",.0f") for part in PARTS],
        number("not the network", "share", ".1%"),
    ]
    images = "noise" if arguments.data is None else arguments.data
    return Table(
        f"{checkpoint.parent.name}/{checkpoint.stem}, {arguments.count} images: {images}", columns
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
