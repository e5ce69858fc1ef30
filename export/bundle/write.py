"""From a checkpoint to a bundle: fold, unroll, check, describe, write atomically."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import numpy as np
import onnx

from export.bundle.weights import share_weights
from export.choose_layout import ChosenLayout, choose_layout
from export.errors import ExportError
from export.fold.network import make_plan
from export.graph.unroll import GraphOptions, unroll
from runtime.bundle.manifest import (
    WEIGHTS_FILE,
    EnergySpec,
    ExitSpec,
    HaltingSpec,
    InputSpec,
    Manifest,
)
from runtime.bundle.read import Bundle, write_bundle
from spikehalt.strict import to_dict
from train.checkpoint import Checkpoint, load_checkpoint
from train.config import ModelConfig
from train.measure.energy import AC_PJ, MAC_PJ, energy_model
from train.models import SpikingTransformer

Precision = Literal["fp32", "fp16", "int8"]
_DTYPES = {"fp32": np.float32, "fp16": np.float16, "int8": np.float32}  # what is not integer


@dataclass(frozen=True)
class ExportOptions:
    """What to make of a checkpoint.

    Attributes:
        chunk: timesteps per graph, a divisor of T; exit decisions fall between chunks.
        layout: `packed`, `dense`, `lagged`, or `auto`: see export/choose_layout.py.
        precision: of weights and activations; in int8 activations are exact, weights are rounded
            per output channel.
        qdq: with int8: for engines (Q/DQ pairs), not for ONNX Runtime on a CPU.
        merge_gamma: tokens merged per block in place of the checkpoint's; None keeps it.
        live_masks: also give out which token slots ran, for heat maps; the lagged layout always
            does.
        instrument: also count the operations that each image's spikes cause, for measured energy
            estimates; costs a little time.
    """

    chunk: int = 1
    layout: Literal["auto", "packed", "dense", "lagged"] = "auto"
    precision: Precision = "fp32"
    qdq: bool = False
    merge_gamma: int | None = None
    live_masks: bool = False
    instrument: bool = False


def export_bundle(
    checkpoint: str | Path, out: str | Path | None = None, options: ExportOptions | None = None
) -> Bundle:
    """Write the bundle of a checkpoint.

    Args:
        checkpoint: a file that `python -m train` wrote.
        out: the bundle's folder; default is the checkpoint's name with `.bundle`.
        options: see ExportOptions.

    Raises:
        train.errors.CheckpointError: the file cannot be used.
        UnsupportedError: the options do not fit the model.
        runtime.errors.BundleWriteError: the bundle cannot be written; what was there is intact.
    """
    options = options or ExportOptions()
    loaded = load_checkpoint(checkpoint)
    if options.merge_gamma is not None:
        loaded = replace(loaded, model=replace(loaded.model, merge_gamma=options.merge_gamma))
    network = loaded.network()
    layout = resolve_layout(loaded.model, options.layout)
    if layout == "lagged":  # the runtime makes the next chunk's row lists of them
        options = replace(options, live_masks=True)
    graph_options = GraphOptions(
        options.chunk, layout, _DTYPES[options.precision], options.live_masks,
        int8=options.precision == "int8", qdq=options.qdq, instrument=options.instrument,
    )  # fmt: skip
    models = unroll(make_plan(network), graph_options)
    for name, model in models.items():
        check_model(name, model)
    weights = share_weights(models)
    files: dict[str, bytes | Path] = {
        name: model.SerializeToString(deterministic=True) for name, model in models.items()
    }
    if weights:
        files[WEIGHTS_FILE] = weights
    target = Path(out) if out is not None else Path(checkpoint).with_suffix(".bundle")
    return write_bundle(target, make_manifest(loaded, network, options, layout), files)


def resolve_layout(model: ModelConfig, layout: ChosenLayout | Literal["auto"]) -> ChosenLayout:
    """The layout asked for; `auto` is the one that runs fastest in ONNX Runtime on a CPU."""
    return choose_layout(model).layout if layout == "auto" else layout


def check_model(name: str, model: onnx.ModelProto) -> None:
    """onnx.checker and strict shape inference.

    Raises:
        ExportError: a graph is not valid, which is a defect of this package.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"{name} is not a valid ONNX model: {error}") from error


def make_manifest(
    checkpoint: Checkpoint,
    network: SpikingTransformer,
    options: ExportOptions,
    layout: ChosenLayout,
) -> Manifest:
    """Everything the runtime needs to know about the graphs."""
    model = checkpoint.model
    return Manifest(
        producer=f"spikehalt {package_version()}",
        name=f"{model.arch}-{model.depth}-{model.dim}",
        model=to_dict(model),
        classes=checkpoint.classes,
        input=_input_spec(model),
        timesteps=model.timesteps,
        chunk=options.chunk,
        layout=layout,
        precision=options.precision,
        tokens=model.tokens,
        tokens_per_block=model.tokens_per_block,
        halting=HaltingSpec(mode=model.halting.mode, epsilon=model.halting.epsilon),
        exit=ExitSpec(),
        energy=_energy_spec(checkpoint, network, options),
        live_masks=options.live_masks,
        instrumented=options.instrument,
        qdq=options.qdq and options.precision == "int8",
    )


def package_version() -> str:
    """Version of the installed distribution, or `unknown` in a bare source tree."""
    try:
        return version("spikehalt")
    except PackageNotFoundError:
        return "unknown"


def _input_spec(model: ModelConfig) -> InputSpec:
    height, width = model.image_size
    timesteps = model.timesteps if model.input == "frames" else None
    return InputSpec(
        kind=model.input, height=height, width=width, channels=model.channels, timesteps=timesteps
    )


def _energy_spec(
    checkpoint: Checkpoint, network: SpikingTransformer, options: ExportOptions
) -> EnergySpec | None:
    """From measured firing rates; an imported checkpoint has none, but its graphs may count."""
    rates = checkpoint.metrics.get("firing_rates")
    if not rates:
        return _constants_alone(checkpoint.model) if options.instrument else None
    energy = energy_model(network, rates)
    return EnergySpec(
        mac_pj=energy.mac_pj,
        ac_pj=energy.ac_pj,
        once_mj=energy.once_mj,
        per_timestep_mj=energy.per_timestep_mj,
        per_token_mj=energy.per_token_mj,
        source=f"firing rates of {energy.source}",
    )


def _constants_alone(model: ModelConfig) -> EnergySpec:
    """What an operation costs; how many there are is counted in the graphs."""
    return EnergySpec(
        mac_pj=MAC_PJ, ac_pj=AC_PJ, once_mj=0.0, per_timestep_mj=0.0,
        per_token_mj=(0.0,) * model.depth, source="operations counted in the graphs",
    )  # fmt: skip
