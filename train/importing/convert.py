"""A published checkpoint to one of ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from train.checkpoint import Checkpoint
from train.config import ModelConfig
from train.errors import CheckpointError
from train.importing.formats import Format, find_format
from train.importing.place import Source, place
from train.importing.reader import read_tensors
from train.importing.unwrap import unwrapped
from train.models import SpikingTransformer


def import_checkpoint(
    path: str | Path, model: ModelConfig, classes: tuple[str, ...] = ()
) -> Checkpoint:
    """Map a file of a known repository, or of SpikingJelly's models, into ours.

    Args:
        path: a state dict, alone or inside a training script's checkpoint.
        model: what the tensors cannot tell: heads, image size, pools, timesteps, normalisation.
            What the repository's code fixes (pooling before or after the neuron, a neuron before
            the head, another attention scale) is set here.
        classes: names in label order; numbers if empty.

    Returns:
        A checkpoint of phase `imported`.

    Raises:
        CheckpointError: unknown naming, another architecture, or a tensor that is missing, of
            another shape, not finite, or without a place in our network.
    """
    tensors = unwrapped(read_tensors(path))
    form = find_format(tensors)
    if form.arch != model.arch:
        raise CheckpointError(
            f"{path} is a {form.name} checkpoint, of architecture {form.arch!r}; got {model.arch!r}"
        )
    config = _fixed(model, form)
    ours = SpikingTransformer(config).state_dict()
    weights = place(Source(tensors), form, ours)
    names = classes or tuple(str(number) for number in range(config.classes))
    if len(names) != config.classes:
        raise CheckpointError(f"{len(names)} class names for {config.classes} classes")
    return Checkpoint(config, weights, names, "imported", metrics={"imported_from": form.name})


def _fixed(model: ModelConfig, form: Format) -> ModelConfig:
    """The configuration with what the repository's code fixes; its stems iterate (SPS)."""
    stem = replace(
        model.stem, kind="sps", pool_position=form.settings.get("pool_position", "after_lif")
    )
    head_lif = form.settings.get("head_lif", False)
    scale = form.settings.get("attention_scale", model.attention_scale)
    return replace(model.static(), stem=stem, head_lif=head_lif, attention_scale=scale)
