"""One engine's answers to one picture."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import InputSpec
from runtime.early_exit.settings import Overrides
from runtime.engine import Engine
from runtime.report.pictures import missing_heat_maps, token_grid
from runtime.results.result import ImageResult
from runtime.results.scores import softmax
from spikehalt.exits import NEVER, POLICIES


@dataclass(frozen=True, eq=False)
class Answer:
    """What is shown of an answer.

    Attributes:
        values: plain JSON values.
        live: uint8 [t, L, rows, columns], 1 = the patch ran there; None where that is not known.
    """

    values: dict[str, Any]
    live: NDArray[np.uint8] | None


class Side:
    """One half of the page.

    Args:
        engine: that answers.
        spec: its bundle's input, as files are to become it.
        name: what to call it; empty: as its bundle is called.
    """

    def __init__(self, engine: Engine, spec: InputSpec, name: str = "") -> None:
        self.engine, self.spec = engine, spec
        self._name = name or engine.manifest.name
        self._grid = None if missing_heat_maps(engine.manifest) else token_grid(engine.manifest)

    def about(self) -> dict[str, Any]:
        """What the page says of it."""
        manifest = self.engine.manifest
        return {
            "name": self._name,
            "backend": self.engine.info.name,
            "timesteps": manifest.timesteps,
            "blocks": manifest.blocks,
            "tokens": manifest.tokens,
            "grid": self._grid,
            "missing": missing_heat_maps(manifest),
            "energy": manifest.energy is not None,
        }

    def warm_up(self) -> None:
        """Answer nothing, so that the first picture takes no longer than the others."""
        spec = self.spec
        if spec.kind == "image":
            self.engine(np.zeros((spec.height, spec.width, spec.channels), np.uint8))
        else:
            shape = (spec.timesteps or 1, spec.channels, spec.height, spec.width)
            self.engine(np.zeros(shape, np.float32))

    def answer(self, data: NDArray[Any], asked: Overrides) -> Answer:
        """As fast as it goes: what ran until the image left.

        Args:
            data: one input.
            asked: how to run it.

        Raises:
            InputError, ConfigError, BackendError: as a call of the engine.
        """
        begin = time.perf_counter()
        result = self.engine(data, live_masks=self._grid is not None, **_arguments(asked))
        latency_ms = 1e3 * (time.perf_counter() - begin)
        image = result[0]
        return Answer(self._values(image, latency_ms), self._live(image))

    def explained(self, data: NDArray[Any], asked: Overrides) -> Answer:
        """The same, and what would have run after the image left; errors as `answer`."""
        answer = self.answer(data, asked)
        manifest = self.engine.manifest
        trajectory = self.engine.record(data, epsilon=asked.epsilon)
        last = (asked.max_timesteps or manifest.timesteps) // manifest.chunk
        probabilities = softmax(trajectory.logits[0, :last])
        scored = asked.policy is not None and POLICIES[asked.policy].has_threshold
        scores = trajectory.scores(asked.policy)[0] if scored and asked.policy else None
        answer.values["points"] = [
            {
                "timestep": manifest.chunk * (point + 1),
                "name": manifest.classes[int(each.argmax())],
                "probability": float(each.max()),
                "score": None if scores is None else float(scores[point]),
            }
            for point, each in enumerate(probabilities)
        ]
        answer.values["live_tokens"] = trajectory.live_tokens[0, : last * manifest.chunk].tolist()
        if self._grid is None:
            return answer
        whole = Overrides(
            policy=NEVER.name, epsilon=asked.epsilon, max_timesteps=asked.max_timesteps
        )
        image = self.engine(data, live_masks=True, **_arguments(whole))[0]
        return Answer(answer.values, self._live(image))

    def _values(self, image: ImageResult, latency_ms: float) -> dict[str, Any]:
        return {
            "name": image.name,
            "probability": image.probability,
            "timesteps": image.timesteps,
            "tokens": image.average_tokens,
            "energy_mj": image.energy_mj,
            "latency_ms": latency_ms,
            "live_tokens": image.live_tokens.tolist(),
        }

    def _live(self, image: ImageResult) -> NDArray[np.uint8] | None:
        if image.live_masks is None or self._grid is None:
            return None
        stacked = np.stack(image.live_masks, axis=1)  # [t, L, K]
        return stacked.reshape(*stacked.shape[:2], *self._grid).astype(np.uint8)


def _arguments(asked: Overrides) -> dict[str, Any]:
    return {
        "policy": asked.policy,
        "threshold": asked.threshold,
        "epsilon": asked.epsilon,
        "max_timesteps": asked.max_timesteps,
    }
