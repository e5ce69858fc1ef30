"""What Triton's Python backend runs: requests that it batched, answered by one engine.

Triton imports this in a process of its own, which has `triton_python_backend_utils`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from runtime.early_exit.settings import Overrides, Settings, resolve
from runtime.engine import Engine
from runtime.inputs.check import check_inputs
from runtime.results.result import Result
from runtime.serve.options import KNOBS
from runtime.serve.pace import measure_pace
from runtime.serve.tensors import Parameters, explain, input_of, outputs_of
from runtime.triton.repository import BUNDLE_FOLDER
from spikehalt.errors import ConfigError, SpikehaltError

_READ = {"threshold": float, "epsilon": float, "max_timesteps": int, "threads": int}
Asked = tuple[NDArray[Any], Settings]


class TritonPythonModel:
    """A bundle as Triton's model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the bundle.

        Args:
            args: `model_repository`, `model_version` and `model_config`, a JSON text.

        Raises:
            SpikehaltError: it cannot be run.
        """
        import triton_python_backend_utils as pb_utils

        self._triton: Any = pb_utils
        config = json.loads(args["model_config"])
        given = {key: each["string_value"] for key, each in config["parameters"].items()}
        engine = {key: _READ.get(key, str)(text) for key, text in given.items()}
        bundle = Path(args["model_repository"]) / args["model_version"] / BUNDLE_FOLDER
        most = int(config["max_batch_size"])
        self._defaults = Overrides(**{key: engine.get(key) for key in KNOBS})
        self._engine = Engine(bundle, max_batch=most, **engine)
        self._pace = measure_pace(self._engine, most)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer what Triton batched: requests of the same settings together."""
        asked = [self._read(each, time.perf_counter()) for each in requests]
        answers: dict[int, Any] = {}
        good = {n: each for n, each in enumerate(asked) if not isinstance(each, SpikehaltError)}
        for settings in dict.fromkeys(settings for _, settings in good.values()):
            together = {n: data for n, (data, each) in good.items() if each == settings}
            answers |= self._answer(requests, together, settings)
        for number, each in enumerate(asked):
            if isinstance(each, SpikehaltError):
                answers[number] = self._failed(each)
        return [answers[number] for number in range(len(requests))]

    def finalize(self) -> None:
        """Free the engine."""
        self._engine.close()

    def _read(self, request: Any, begin_s: float) -> Asked | SpikehaltError:
        manifest = self._engine.manifest
        try:
            parameters = Parameters.model_validate(json.loads(request.parameters() or "{}"))
            name = input_of(manifest.input)[0]
            tensor = self._triton.get_input_tensor_by_name(request, name).as_numpy()
            data = check_inputs(manifest.input, tensor)
            given = Overrides(**{key: getattr(parameters, key) for key in KNOBS})
            settings = resolve(manifest, given.over(self._defaults))
            return data, self._in_time(settings, len(data), parameters.latency_ms, begin_s)
        except ValidationError as error:
            return ConfigError(explain(error, Parameters))
        except SpikehaltError as error:
            return error

    def _in_time(
        self, settings: Settings, images: int, latency_ms: float | None, begin_s: float
    ) -> Settings:
        """As many timesteps as a batch of this request alone could run in that time."""
        if latency_ms is None:
            return settings
        budget_s = latency_ms / 1e3 - (time.perf_counter() - begin_s)
        chunk = self._engine.manifest.chunk
        chunks = self._pace.chunks_within(budget_s, images, settings.max_timesteps // chunk)
        if chunks == 0:
            raise ConfigError(f"latency_ms {latency_ms:g} is too short for one timestep")
        return Settings(**{**asdict(settings), "max_timesteps": chunks * chunk})

    def _answer(
        self, requests: list[Any], together: dict[int, NDArray[Any]], settings: Settings
    ) -> dict[int, Any]:
        try:
            result = self._engine(np.concatenate(list(together.values())), **asdict(settings))
        except SpikehaltError as error:
            return {number: self._failed(error) for number in together}
        answers, stop = {}, 0
        for number, data in together.items():
            start, stop = stop, stop + len(data)
            wanted = requests[number].requested_output_names()
            answers[number] = self._response(result.part(start, stop), wanted)
        return answers

    def _response(self, result: Result, wanted: Iterable[str]) -> Any:
        ports = outputs_of(result.manifest)
        values = {name: np.asarray(ports[name].values(result)) for name in wanted}
        tensors = [self._triton.Tensor(name, _column(array)) for name, array in values.items()]
        return self._triton.InferenceResponse(output_tensors=tensors)

    def _failed(self, error: SpikehaltError) -> Any:
        return self._triton.InferenceResponse(error=self._triton.TritonError(str(error)))


def _column(array: NDArray[Any]) -> NDArray[Any]:
    """One value an image as [B, 1], and text as bytes: Triton knows no other."""
    shaped = array[:, None] if array.ndim == 1 else array
    if shaped.dtype.kind != "U":
        return np.ascontiguousarray(shaped)
    texts = [[text.encode() for text in row] for row in shaped.tolist()]
    return np.array(texts, dtype=object)
