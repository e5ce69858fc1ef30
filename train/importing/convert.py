"""A published checkpoint to one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikehalt.published.origin import Origin
from spikehalt.strict import build, to_dict
from train.checkpoint import Checkpoint
from train.config import ModelConfig
from train.errors import CheckpointError
from train.importing.formats import Format, find_format
from train.importing.place import Source, place
from train.importing.reader import read_tensors
from train.importing.unwrap import unwrapped
from train.importing.variants import Variant, choose_variant, variant
from train.models import SpikingTransformer

_ASKED = "asked for"


def import_checkpoint(
    path: str | Path,
    published: str | None = None,
    changes: Mapping[str, Any] | None = None,
    classes: tuple[str, ...] = (),
) -> Checkpoint:
    """Map a file of a known repository, or of SpikingJelly's models, into ours.

    Sizes come from the tensors. Everything else that the network is comes from the published
    network's code (`train/importing/variants.py`), unless the caller says otherwise.

    Args:
        path: a state dict, alone or inside a training script's checkpoint.
        published: name of the published network; None where only one network has these tensor
            names.
        changes: fields of `ModelConfig` by dotted name, such as "lif.tau", that replace what the
            published network's code fixes.
        classes: names in label order; numbers if empty.

    Returns:
        A checkpoint of phase `imported`, which records all of that as its origin.

    Raises:
        CheckpointError: unknown naming, another naming than the published network's, several
            published networks that the tensors do not tell apart, or a tensor that is missing, of
            another shape, not finite, or without a place in our network.
        ConfigError: no such published network, or a change that does not exist.
    """
    tensors = unwrapped(read_tensors(path))
    form = find_format(tensors)
    source = Source(form.prepared(tensors))
    told = _told(source, form)
    theirs, reason = _variant(path, form, published, told["channels"])
    changes = dict(changes or {})
    config = _config(theirs, told, changes)
    weights = place(source, form, SpikingTransformer(config).state_dict(), config)
    names = classes or tuple(str(number) for number in range(config.classes))
    if len(names) != config.classes:
        raise CheckpointError(f"{len(names)} class names for {config.classes} classes")
    return Checkpoint(
        config, weights, names, "imported",
        preprocessing=theirs.preprocessing,
        origin=_origin(theirs, reason, config, changes),
    )  # fmt: skip


def _variant(
    path: str | Path, form: Format, published: str | None, channels: int
) -> tuple[Variant, str]:
    if published is None:
        return choose_variant(form, channels)
    found = variant(published)
    if found.naming != form.name:
        raise CheckpointError(
            f"{path} has the tensors' names of {form.name}; those of {found.name} are "
            f"{found.naming}"
        )
    return found, _ASKED


def _told(source: Source, form: Format) -> dict[str, Any]:
    """Fields that follow from the tensors' shapes."""
    depth = form.depth(source.tensors)
    classes, dim = source.take("head.weight").shape
    weights = {layer.ours: f"{layer.parts[0][0]}.weight" for layer in form.layers(max(depth, 1))}
    hidden = source.take(weights["blocks.0.mlp.fc1"]).shape[0]
    channels = source.take(weights["stem.convs.0"]).shape[1]
    return {
        "depth": depth, "dim": dim, "classes": classes, "channels": channels,
        "mlp_ratio": hidden / dim, **form.told(source.tensors),
    }  # fmt: skip


def _config(theirs: Variant, told: dict[str, Any], changes: dict[str, Any]) -> ModelConfig:
    """Fields from the tensors, from the variant and from the caller; later ones win."""
    fields = {**told, **theirs.fixed}
    if told["dim"] in theirs.heads:
        fields["heads"] = theirs.heads[told["dim"]]
    fields.update(changes)
    if "heads" not in fields:
        known = ", ".join(f"{heads} for width {dim}" for dim, heads in theirs.heads.items())
        raise CheckpointError(
            f"tensors do not tell how many attention heads there are, and {theirs.name} has no "
            f"network of width {told['dim']} (known: {known or 'none'}); pass --heads"
        )
    return build(ModelConfig, _nested(fields))


def _nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """{"a.b": 1} -> {"a": {"b": 1}}."""
    nested: dict[str, Any] = {}
    for name, value in fields.items():
        *above, last = name.split(".")
        place_of = nested
        for each in above:
            place_of = place_of.setdefault(each, {})
        place_of[last] = value
    return nested


def _origin(
    theirs: Variant, reason: str, config: ModelConfig, changes: Mapping[str, Any]
) -> Origin:
    fixed = {name: _plain(config, name) for name in [*theirs.fixed, "heads"] if name not in changes}
    changed = {name: _plain(config, name) for name in changes}
    return Origin(
        variant=theirs.name, repository=theirs.repository, reason=reason, fixed=fixed,
        changed=changed, caution=theirs.caution,
    )  # fmt: skip


def _plain(config: ModelConfig, name: str) -> Any:
    """The value of a dotted field as JSON has it."""
    value: Any = to_dict(config)
    for each in name.split("."):
        value = value[each]
    return value
