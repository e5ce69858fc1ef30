"""One candidate of `benchmarks.cpu` in a process of its own (benchmarks/common/serving.py).

python -m benchmarks.cpu.worker NAME --model NAME --batch 1 --threads 1 --replay FILE
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from benchmarks.common import native, networks, peers
from benchmarks.common.replay import Replay
from benchmarks.common.serving import Candidate, Step, serve
from spikehalt.commands import Parser, whole
from train.config import ModelConfig
from train.models import NAMED_MODELS

GEMM = 1024


def main() -> None:
    """Serve until standard input ends."""
    parser = Parser()
    parser.add_argument("name", choices=[*CANDIDATES])
    parser.add_argument("--model", choices=[*NAMED_MODELS], default=networks.MODEL)
    parser.add_argument("--batch", type=whole(1), default=1)
    parser.add_argument("--threads", type=whole(1), default=1)
    parser.add_argument("--replay", type=Path, required=True)
    native.add_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    serve(lambda: Candidate(CANDIDATES[arguments.name](arguments)))


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Open a model in ONNX Runtime on the CPU with all optimisations."""
    return onnxruntime.InferenceSession(model, _options(threads), ["CPUExecutionProvider"])


def our_session(
    model: bytes, threads: int, native_ops: bool | None
) -> onnxruntime.InferenceSession:
    """Open one of our graphs, with native ops where they are wanted.

    It shares the cores with the session of the other graph, so it stops spinning when a run ends,
    as runtime/backends/onnxruntime/session.py does.
    """
    options, ops = _options(threads), native.native_ops(native_ops)
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if ops.path is not None:
        options.register_custom_ops_library(str(ops.path))
    return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    return options


class Ours:
    """Our graphs, states handed on inside ONNX Runtime, exits and live sets replayed."""

    def __init__(
        self,
        config: ModelConfig,
        graphs: Mapping[str, onnx.ModelProto],
        replay: Replay,
        *,
        batch: int,
        threads: int,
        exits: bool = False,
        steps: int | None = None,
        chunk: int = 1,
        native_ops: bool | None = None,
    ) -> None:
        self.chunk = chunk
        self.sessions = {
            name: our_session(model.SerializeToString(), threads, native_ops)
            for name, model in graphs.items()
        }
        self.replay, self.halting = replay, config.halting.mode != "none"
        self.timesteps, self.exits = steps or config.timesteps, exits
        count = len(replay.timesteps)
        self.batches = np.array_split(np.arange(count), max(1, count // batch))
        self.images = networks.random_images(config, count)

    def __call__(self) -> int:
        """Classify every recorded image once."""
        for batch in self.batches:
            self._classify(batch)
        return len(self.images)

    def _classify(self, batch: NDArray[np.int64]) -> None:
        feed: dict[str, Any] = {"image": self.images[batch]}
        states = self._run("first.onnx", feed | self._replayed(batch, 0), {})
        for step in range(self.chunk, self.timesteps, self.chunk):
            alive = np.flatnonzero(self.replay.timesteps[batch] > step) if self.exits else None
            alive = np.arange(len(batch)) if alive is None else alive
            batch = batch[alive]
            if len(batch) == 0:
                return
            states = self._run("next.onnx", {"alive": alive, **self._replayed(batch, step)}, states)

    def _replayed(self, batch: NDArray[np.int64], step: int) -> dict[str, NDArray[Any]]:
        inputs = {"epsilon": np.array(0.01, np.float32)}
        return inputs | (self.replay.inputs(batch, step, self.chunk) if self.halting else {})

    def _run(self, name: str, feed: dict[str, Any], states: dict[str, Any]) -> dict[str, Any]:
        graph = self.sessions[name]
        binding = graph.io_binding()
        for each in graph.get_inputs():
            if each.name in states:
                binding.bind_ortvalue_input(each.name, states[each.name])
            elif each.name in feed:
                binding.bind_cpu_input(each.name, feed[each.name])
        outputs = [each.name for each in graph.get_outputs()]
        for output in outputs:
            binding.bind_output(output)
        graph.run_with_iobinding(binding)
        values = dict(zip(outputs, binding.get_outputs(), strict=True))
        values["logits"].numpy()
        return {n.removeprefix("next."): v for n, v in values.items() if n.startswith("next.")}


def _ours(
    stem: str,
    *,
    halting: bool = False,
    int8: bool = False,
    exits: bool = False,
    steps: int | None = None,
    whole: bool = False,
    bodies: bool = False,
    spike_ops: bool = True,
) -> Callable[[argparse.Namespace], Step]:
    def build(arguments: argparse.Namespace) -> Step:
        config = networks.config_of(stem, halting=halting, model=arguments.model)
        chunk = config.timesteps if whole else 1
        replay = Replay.load(arguments.replay)
        graphs = networks.our_graphs(
            config, int8=int8, chunk=chunk, densities=replay.densities, spike_ops=spike_ops
        )
        return Ours(
            config, graphs, replay, batch=arguments.batch,
            threads=arguments.threads, exits=exits, steps=steps, chunk=chunk,
            native_ops=False if bodies else arguments.native_ops,
        )  # fmt: skip

    return build


def _pictures(arguments: argparse.Namespace) -> torch.Tensor:
    config = _dense_config(arguments)
    shape = (arguments.batch, config.channels, *config.image_size)
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def _dense_config(arguments: argparse.Namespace) -> ModelConfig:
    return networks.config_of("isps", halting=False, model=arguments.model)


def _spikingjelly(arguments: argparse.Namespace, *, compiled: bool = False) -> Step:
    network = peers.Fresh(peers.spikingjelly_model(_dense_config(arguments)))
    if compiled:
        network.network.compile()
    images, batch = _pictures(arguments), int(arguments.batch)

    def step() -> int:
        with torch.inference_mode():
            network(images)
        return batch

    return step


def _spikingjelly_onnx(arguments: argparse.Namespace) -> Step:
    network = peers.Fresh(peers.spikingjelly_model(_dense_config(arguments)))
    images = _pictures(arguments)
    return _onnx_step(peers.plain_onnx(network, images), images, arguments)


def _dense(
    arguments: argparse.Namespace,
    *,
    int8: bool = False,
    static: bool = False,
    openvino: bool = False,
) -> Step:
    torch.manual_seed(0)
    network = peers.DenseTransformer(_dense_config(arguments)).eval()
    images = _pictures(arguments)
    model = peers.plain_onnx(network, images)
    if int8:
        with tempfile.TemporaryDirectory() as folder:
            where = Path(folder)
            dynamic = lambda: peers.int8_dynamic(model, where)  # noqa: E731
            model = peers.int8_static(model, images, where) if static else dynamic()
    step = _openvino_step if openvino else _onnx_step
    return step(model, images, arguments)


def _openvino_step(model: bytes, images: torch.Tensor, arguments: argparse.Namespace) -> Step:
    graph = peers.openvino_model(model, arguments.threads)
    feed = images.numpy()

    def step() -> int:
        graph(feed)
        return len(images)

    return step


def _onnx_step(model: bytes, images: torch.Tensor, arguments: argparse.Namespace) -> Step:
    graph = session(model, arguments.threads)
    feed = {graph.get_inputs()[0].name: images.numpy()}

    def step() -> int:
        graph.run(None, feed)
        return len(images)

    return step


def _gemm(arguments: argparse.Namespace, *, int8: bool = False) -> Step:
    """A matrix product of side 1024: this machine's peak, as ONNX Runtime reaches it."""
    from export.graph.builder import GraphBuilder

    graph = GraphBuilder("gemm")
    rng = np.random.default_rng(0)
    x = graph.input("x", 2 if int8 else 1, [GEMM, GEMM])
    weight = rng.integers(-127, 128, (GEMM, GEMM)).astype(np.int8)
    kind, constant = ("MatMulInteger", weight) if int8 else ("MatMul", weight.astype(np.float32))
    product = graph.op(kind, x, graph.const(constant, constant.dtype), name="product")
    graph.output("y", product, 6 if int8 else 1, [GEMM, GEMM])
    peak = session(graph.model([], "benchmark").SerializeToString(), arguments.threads)
    feed = {"x": rng.integers(0, 2, (GEMM, GEMM)).astype(np.uint8 if int8 else np.float32)}

    def step() -> int:
        peak.run(None, feed)
        return 1

    return step


def _with(build: Any, **options: bool) -> Callable[[argparse.Namespace], Step]:
    return lambda arguments: build(arguments, **options)


CANDIDATES: dict[str, Callable[[argparse.Namespace], Step]] = {
    "spikingjelly": _with(_spikingjelly),
    "spikingjelly-compiled": _with(_spikingjelly, compiled=True),
    "spikingjelly-onnx": _spikingjelly_onnx,
    "ann": _with(_dense),
    "ann-int8": _with(_dense, int8=True),
    "ann-int8-static": _with(_dense, int8=True, static=True),
    "ann-openvino": _with(_dense, openvino=True),
    "ann-openvino-int8": _with(_dense, int8=True, static=True, openvino=True),
    "sps": _ours("sps", whole=True),
    "sps-steps": _ours("sps"),
    "isps": _ours("isps", whole=True),
    "isps-steps": _ours("isps"),
    "halting": _ours("isps", halting=True, whole=True),
    "halting-steps": _ours("isps", halting=True),
    "halting-exit": _ours("isps", halting=True, exits=True),
    "int8": _ours("isps", halting=True, int8=True, whole=True),
    "int8-steps": _ours("isps", halting=True, int8=True),
    "int8-exit": _ours("isps", halting=True, int8=True, exits=True),
    "halting-exit-dense": _ours("isps", halting=True, exits=True, spike_ops=False),
    "int8-exit-dense": _ours("isps", halting=True, int8=True, exits=True, spike_ops=False),
    "halting-exit-bodies": _ours("isps", halting=True, exits=True, bodies=True),
    "int8-exit-bodies": _ours("isps", halting=True, int8=True, exits=True, bodies=True),
    **{f"halting-t{t}": _ours("isps", halting=True, steps=t) for t in (1, 2, 3)},
    **{f"int8-t{t}": _ours("isps", halting=True, int8=True, steps=t) for t in (1, 2, 3)},
    "gemm": _with(_gemm),
    "gemm-int8": _with(_gemm, int8=True),
}


if __name__ == "__main__":
    main()
