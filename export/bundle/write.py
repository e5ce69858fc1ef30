"""From a checkpoint to a bundle: fold, unroll, check, describe, write atomically."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnx

import plugins
from export.bundle.replace import replace_bundle
from export.bundle.weights import share_weights
from export.choose_layout import choose_layout
from export.errors import ExportError
from export.fold.network import make_plan
from export.graph.layouts.table import LAYOUTS
from export.graph.unroll import unroll
from export.options import ExportOptions
from runtime.bundle import (
    WEIGHTS_FILE,
    Bundle,
    EnergySpec,
    ExitSpec,
    HaltingSpec,
    InputSpec,
    Manifest,
    graph_properties,
)
from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.files import beside
from spikehalt.strict import to_dict
from train.checkpoint import Checkpoint, load_checkpoint
from train.config import ModelConfig
from train.measure.energy import AC_PJ, MAC_PJ, energy_model
from train.models import SpikingTransformer


def export_bundle(
    checkpoint: str | Path,
    out: str | Path | None = None,
    options: ExportOptions | None = None,
    say: Callable[[str], None] = lambda _: None,
    force: bool = False,
) -> Bundle:
    """Write the bundle of a checkpoint.

    A bundle there with the same graphs keeps its thresholds, engines and signature.

    Args:
        checkpoint: a file that `python -m train` wrote.
        out: the bundle's folder; default is the checkpoint's name with `.bundle`.
        options: see ExportOptions.
        say: takes the reasons for a layout that nobody asked for, and what was kept or dropped of
            a bundle that was there, a line each.
        force: replace a bundle of other graphs even if it has thresholds, engines, a signature, or
            files that nobody knows.

    Raises:
        train.errors.CheckpointError: the file cannot be used.
        UnsupportedError: the options do not fit the model.
        runtime.errors.BundleWriteError: the bundle cannot be written, or what was there would lose
            something; it is intact.
    """
    options, loaded = options or ExportOptions(), load_checkpoint(checkpoint)
    loaded = replace(loaded, model=options.applied_to(loaded.model))
    choice = choose_layout(loaded.model, options)
    for note in choice.notes:
        say(note)
    live_masks = options.live_masks or LAYOUTS[choice.layout].needs_live_masks
    options = replace(options, layout=choice.layout, live_masks=live_masks)
    network = loaded.network()
    models = unroll(make_plan(network), options)
    for name, model in models.items():
        check_model(name, model)
    weights = share_weights(models)
    manifest = make_manifest(loaded, network, options)
    manifest = replace(manifest, spike_layers=spike_layers(models))
    for model in models.values():
        note_facts(model, manifest)
    files = {name: model.SerializeToString(deterministic=True) for name, model in models.items()}
    if weights:
        files[WEIGHTS_FILE] = weights
    target = Path(out) if out is not None else beside(checkpoint, ".bundle")
    return replace_bundle(target, manifest, files, force=force, say=say)


def note_facts(model: onnx.ModelProto, manifest: Manifest) -> None:
    """Note in a graph's metadata what the runtime compares with the manifest."""
    for name, value in graph_properties(manifest).items():
        model.metadata_props.add(key=name, value=value)


def spike_layers(models: Mapping[str, onnx.ModelProto]) -> tuple[str, ...]:
    """Names of the nodes of SpikeLinear and SpikeConv in a bundle's graphs, in their order."""
    nodes = (node for model in models.values() for node in model.graph.node)
    return tuple(dict.fromkeys(node.name for node in nodes if node.op_type in plugins.SPIKE_OPS))


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
    checkpoint: Checkpoint, network: SpikingTransformer, options: ExportOptions
) -> Manifest:
    """Everything the runtime needs to know about the graphs."""
    model = checkpoint.model
    return Manifest(
        producer=f"spikehalt {package_version()}",
        name=model.name,
        model=to_dict(model),
        classes=checkpoint.classes,
        input=_input_spec(model, checkpoint.preprocessing),
        timesteps=model.timesteps,
        chunk=options.chunk,
        layout=choose_layout(model, options).layout,
        precision=options.precision,
        tokens=model.tokens,
        tokens_per_block=model.tokens_per_block,
        halting=HaltingSpec(mode=model.halting.mode, epsilon=model.halting.epsilon),
        exit=ExitSpec(),
        energy=_energy_spec(checkpoint, network, options),
        live_masks=options.live_masks,
        instrumented=options.instrument,
        qdq=options.qdq and options.int8,
        origin=checkpoint.origin,
    )


def package_version() -> str:
    """Version of the installed distribution, or `unknown` in a bare source tree."""
    try:
        return version("spikehalt")
    except PackageNotFoundError:
        return "unknown"


def _input_spec(model: ModelConfig, preprocessing: Preprocessing) -> InputSpec:
    height, width = model.image_size
    timesteps = model.timesteps if model.input == "frames" else None
    return InputSpec(
        kind=model.input,
        height=height,
        width=width,
        channels=model.channels,
        timesteps=timesteps,
        preprocessing=preprocessing,
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
