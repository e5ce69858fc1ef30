"""A bundle in the runtime's backends, as runners of Polygraphy's comparator."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from polygraphy.backend.base import BaseRunner
from polygraphy.common import TensorMetadata

from export.comparison.measures import HALT_SCORE, LIVE_TOKENS, LOGITS
from export.comparison.spiking import (
    Models,
    Values,
    gather_spikes,
    run_with_spikes,
)
from export.graph.observers.spike_names import PREFIX
from runtime import Engine
from runtime.bundle.manifest import Manifest
from runtime.bundle.read import Bundle

DATA = "images"


@dataclass(frozen=True)
class Batches:
    """How images are cut into batches.

    Attributes:
        size: images at once.
        spying: spikes of the first batches that hold so many images are kept.
    """

    size: int = 8
    spying: int = 16


class ComparedRunner(BaseRunner):  # type: ignore[misc]  # polygraphy is untyped
    """Answers all images with the arrays that `export.comparison.measures` compares.

    Args:
        name: of the runner.
        manifest: of the bundle.
        batches: how the images are cut.
    """

    def __init__(self, name: str, manifest: Manifest, batches: Batches) -> None:
        super().__init__(name=name)
        self._manifest, self._batches = manifest, batches

    def get_input_metadata_impl(self) -> TensorMetadata:
        """One input: the images, as the bundle takes them."""
        spec, frames = self._manifest.input, self._manifest.input.kind == "frames"
        size = (spec.height, spec.width)
        shape = (spec.timesteps, spec.channels, *size) if frames else (*size, spec.channels)
        return TensorMetadata().add(DATA, np.float32 if frames else np.uint8, (-1, *shape))

    def infer_impl(self, feed_dict: dict[str, NDArray[Any]]) -> Values:
        """Run all images, batch by batch, and time them."""
        data, size = feed_dict[DATA], self._batches.size
        begin = time.perf_counter()
        parts = [
            self.answers(data[at : at + size], spikes=at < self._batches.spying)
            for at in range(0, len(data), size)
        ]
        self.inference_time = time.perf_counter() - begin
        return {name: np.concatenate([p[name] for p in parts if name in p]) for name in parts[0]}

    def answers(self, data: NDArray[Any], *, spikes: bool) -> Values:
        """What the runner says about a batch; `spikes` asks for those too."""
        raise NotImplementedError


class BundleRunner(ComparedRunner):
    """The bundle in one of the runtime's backends.

    Args:
        bundle: to run.
        backend: its name.
        batches: how the images are cut.
        models: for ONNX Runtime: the bundle's graphs with every spike given out.
        name: of the runner; None: the backend's.
        native_ops: of ONNX Runtime.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: str,
        batches: Batches,
        models: Models | None = None,
        name: str | None = None,
        native_ops: bool = False,
    ) -> None:
        super().__init__(name or backend, bundle.manifest, batches)
        self._bundle, self._backend, self._models = bundle, backend, models
        self._native = native_ops

    def activate_impl(self) -> None:
        """Load the bundle."""
        self._engine = Engine(
            self._bundle, backend=self._backend, policy="never", native_ops=self._native
        )

    def deactivate_impl(self) -> None:
        """Free it."""
        self._engine.close()

    def answers(self, data: NDArray[Any], *, spikes: bool) -> Values:
        """Logits and scores at every exit point, live tokens; spikes from the other graphs."""
        trajectory = self._engine.record(data)
        answers = {
            LOGITS: trajectory.logits,
            HALT_SCORE: trajectory.halt_score,
            LIVE_TOKENS: trajectory.live_tokens,
        }
        if spikes and self._models is not None:
            answers |= run_with_spikes(self._models, self._manifest, data, native=self._native)
        return answers


class SpyingEngineRunner(BundleRunner):
    """A bundle with engines of spying graphs, in TensorRT or TensorRT-RTX."""

    def activate_impl(self) -> None:
        """Load the engines and watch what they give out."""
        super().activate_impl()
        session: Any = self._engine._session
        inner: Any = getattr(session, "inner", session)  # of what a layout wraps around it
        self._chunks: list[Values] = []
        inner.watch = self._keep

    def answers(self, data: NDArray[Any], *, spikes: bool) -> Values:
        """Logits and scores at every exit point, live tokens, spikes."""
        self._chunks.clear()
        answers = super().answers(data, spikes=spikes)
        return {**answers, **gather_spikes(self._chunks)} if spikes else answers

    def _keep(self, outputs: Values) -> None:
        seen = {name: value > 0 for name, value in outputs.items() if name.startswith(PREFIX)}
        self._chunks.append(seen)
