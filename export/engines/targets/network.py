"""Parsing a graph and building an engine: the part that TensorRT and TensorRT-RTX share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from export.engines.profiles import InputProfile, ShapedGraph
from export.errors import EngineBuildError
from runtime.backends.tensorrt.log import MessageLog

Configure = Callable[[Any], None]
MAX_REASONS = 3


class Network:
    """A parsed graph, ready to build.

    Args:
        trt: the module.
        title: what to call the library in messages, such as "TensorRT-RTX 1.7.1".
        graph: what to build.

    Raises:
        EngineBuildError: the library cannot start, or its parser refuses the graph.
    """

    def __init__(self, trt: ModuleType, title: str, graph: ShapedGraph) -> None:
        self._trt, self._title, self._graph = trt, title, graph
        self._name = f"{graph.model.graph.name}.onnx"
        self._log = MessageLog(trt)
        self._builder = self._start()
        strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        self.definition = self._builder.create_network(strongly_typed)
        self._parser = trt.OnnxParser(self.definition, self._log.logger)
        if not self._parser.parse(graph.model.SerializeToString()):
            raise EngineBuildError(f"{title} cannot parse {self._name}: {self._parser_errors()}")

    def layer_types(self) -> list[Any]:
        """Type of every layer."""
        count = self.definition.num_layers
        return [self.definition.get_layer(i).type for i in range(count)]

    def build(self, configure: Configure) -> bytes:
        """Build the engine.

        Args:
            configure: sets the library's own options on the builder's configuration.

        Raises:
            EngineBuildError: the builder refused, with its own words.
        """
        config = self._builder.create_builder_config()
        # Float32 means float32: TF32 would round the readouts to 11 bits.
        config.clear_flag(self._trt.BuilderFlag.TF32)
        configure(config)
        for shapes in self._graph.profiles:
            if shapes:
                self._add_profile(config, shapes)
        plan = self._builder.build_serialized_network(self.definition, config)
        if plan is None:
            raise EngineBuildError(
                f"{self._title} cannot build an engine from {self._name}: {self._log.reasons()}"
            )
        self.config = config
        return bytes(memoryview(plan))

    def _start(self) -> Any:
        try:
            return self._trt.Builder(self._log.logger)
        except (TypeError, RuntimeError) as error:  # what a null pointer becomes in its bindings
            raise EngineBuildError(
                f"{self._title} cannot start: {self._log.reasons()} ({error})"
            ) from error

    def _add_profile(self, config: Any, shapes: Mapping[str, InputProfile]) -> None:
        profile, problem = self._builder.create_optimization_profile(), ""
        try:
            for name, shape in shapes.items():
                profile.set_shape(name, shape.smallest, shape.typical, shape.largest)
        except RuntimeError as error:
            problem = str(error)
        if problem or config.add_optimization_profile(profile) < 0:
            reason = problem or self._log.reasons()
            raise EngineBuildError(f"{self._title} refuses a profile of {self._name}: {reason}")

    def _parser_errors(self) -> str:
        parser = self._parser
        texts = [_describe(parser.get_error(i)) for i in range(min(parser.num_errors, MAX_REASONS))]
        return "; ".join(dict.fromkeys(texts)) or self._log.reasons()


def _describe(error: Any) -> str:
    """One parser error: node, operator, description."""
    # Both came with TensorRT 10; an error outside of any node has empty names.
    name, operator = error.node_name(), error.node_operator()
    text = " ".join(error.desc().split())
    return f"node {name} ({operator}): {text}" if name else text
