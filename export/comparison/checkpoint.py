"""The network a bundle was exported from, and its graphs with every spike given out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx

from export.bundle.weights import share_weights
from export.bundle.write import note_facts
from export.errors import UnsupportedError
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from runtime.bundle.manifest import Manifest
from runtime.bundle.read import Bundle
from spikehalt.console import few
from spikehalt.strict import build
from train.checkpoint import load_checkpoint
from train.config import ModelConfig
from train.models import SpikingTransformer


def load_network(manifest: Manifest, checkpoint: Path) -> SpikingTransformer:
    """The network as the bundle has it: the checkpoint's weights, the bundle's configuration.

    Args:
        manifest: of the bundle; its configuration may merge other numbers of tokens.
        checkpoint: that the bundle was exported from.

    Raises:
        CheckpointError: the file cannot be used.
        UnsupportedError: its weights or classes are of another model.
    """
    network, loaded = (
        SpikingTransformer(build(ModelConfig, manifest.model)),
        load_checkpoint(checkpoint),
    )
    if loaded.classes != manifest.classes:
        raise UnsupportedError(
            f"{checkpoint} has other classes than the bundle {manifest.name}, or in another order: "
            f"{few(loaded.classes, 12)}, and {few(manifest.classes, 12)}"
        )
    try:
        network.load_state_dict(loaded.weights)
    except RuntimeError as error:
        raise UnsupportedError(
            f"{checkpoint} holds another model than the bundle {manifest.name}: {error}"
        ) from error
    return network.eval()


def export_again(
    bundle: Bundle, network: SpikingTransformer, *, spikes: bool
) -> dict[str, onnx.ModelProto]:
    """The bundle's graphs once more, with or without spikes."""
    manifest = bundle.manifest
    options = ExportOptions(
        chunk=manifest.chunk,
        layout=manifest.layout,
        precision=manifest.precision,
        qdq=manifest.qdq,
        live_masks=spikes or manifest.live_masks,
        instrument=manifest.instrumented,
        spikes=spikes,
        spike_ops=bool(manifest.spike_layers),
    )
    return unroll(make_plan(network), options)


def gives_same_graphs(bundle: Bundle, network: SpikingTransformer) -> bool:
    """Whether exporting the network again gives the bundle's graphs byte for byte."""
    models = export_again(bundle, network, spikes=False)
    share_weights(models)
    for model in models.values():
        note_facts(model, bundle.manifest)
    digests = {
        name: hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
        for name, model in models.items()
    }
    files = bundle.manifest.files
    return digests == {name: entry.sha256 for name, entry in files.items() if name in digests}
