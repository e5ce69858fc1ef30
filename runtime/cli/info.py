"""`python -m runtime info BUNDLE`: what a bundle is."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from itertools import pairwise

from runtime.bundle import Bundle, ExitSpec, InputSpec, Manifest, signature_state
from runtime.bundle.sign import SignatureState
from runtime.cli import options
from runtime.early_exit.settings import Overrides, calibration_notice
from spikehalt import console
from spikehalt.commands import DONE, NEGATIVE
from spikehalt.exits import CALIBRATED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", metavar="BUNDLE", help=options.BUNDLE_HELP)
    parser.add_argument("--public-key", metavar="KEY.pem", help=options.PUBLIC_KEY_HELP)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check every file of the bundle and show its manifest; 1 where the key did not sign it."""
    bundle, key = Bundle.open(arguments.bundle), arguments.public_key
    signature = signature_state(bundle.root, key)
    status = DONE if key is None or signature == "fits" else NEGATIVE
    if arguments.json:
        shown = {"fingerprint": bundle.fingerprint, "signature": signature}
        console.write_json({**shown, **asdict(bundle.manifest)})
        return status
    rows = [*identity(bundle), ("signature", _signature(signature, key))]
    console.write_table(str(bundle.root), ["what", "value"], rows)
    notice = calibration_notice(bundle.manifest, Overrides())
    if notice:
        console.note(notice)
    return status


def identity(bundle: Bundle) -> list[tuple[str, str]]:
    """The bundle's identity card: names and values, for a table or a report."""
    manifest = bundle.manifest
    tokens = ", ".join(map(str, manifest.tokens_per_block))
    energy = "unknown" if manifest.energy is None else manifest.energy.source
    rows = [
        ("name", manifest.name),
        ("written by", manifest.producer),
        ("format", f"{manifest.format} {manifest.format_version}"),
        ("input", _input(manifest.input)),
        ("image files", _preprocessing(manifest.input)),
        ("classes", f"{len(manifest.classes)}: {console.few(manifest.classes, 10)}"),
        (
            "timesteps",
            f"{manifest.timesteps}, {manifest.chunk} at once (chunk): images leave between chunks",
        ),
        ("layout", manifest.layout),
        ("precision", _precision(manifest)),
        ("pays for spikes only", ", ".join(manifest.spike_layers) or "no layer"),
        ("tokens", f"{manifest.tokens} (K₀, before the first block); per block {tokens}"),
        ("merging", _merging(manifest)),
        ("halting", _halting(manifest)),
        ("exit", _exit(manifest.exit)),
        ("energy constants", energy),
        ("release", str(manifest.release)),
        *(manifest.origin.describe() if manifest.origin else ()),
        ("fingerprint", bundle.fingerprint),
    ]
    rows += [(name, _size(entry.bytes)) for name, entry in sorted(manifest.files.items())]
    return rows


def _signature(state: SignatureState, key: str | None) -> str:
    if key is not None:
        return f"none; {key} signed nothing here" if state == "none" else f"{state} {key}"
    return "there, not checked: give --public-key" if state == "not checked" else state


def _precision(manifest: Manifest) -> str:
    if manifest.precision != "int8":
        return manifest.precision
    return "int8 as Q/DQ pairs, for engines" if manifest.qdq else "int8, for CPUs"


def _input(spec: InputSpec) -> str:
    if spec.kind == "image":
        return f"uint8 [B, {spec.height}, {spec.width}, {spec.channels}]"
    return f"float32 [B, {spec.timesteps}, {spec.channels}, {spec.height}, {spec.width}]"


def _preprocessing(spec: InputSpec) -> str:
    return spec.preprocessing.describe() if spec.kind == "image" else "none, event frames"


def _merging(manifest: Manifest) -> str:
    if manifest.merges_similar:
        threshold = manifest.model["merge_threshold"]
        return f"tokens whose cosine is at least {threshold:g}; their slots stay, dead"
    arriving = (manifest.tokens, *manifest.tokens_per_block)
    gammas = [before - after for before, after in pairwise(arriving)]
    return f"{', '.join(map(str, gammas))} tokens, by block" if manifest.merges else "none"


def _halting(manifest: Manifest) -> str:
    halting = manifest.halting
    return (
        halting.mode
        if halting.mode == "none"
        else f"{halting.mode}, ε {halting.epsilon:g} (halting margin: larger, fewer tokens)"
    )


def _exit(spec: ExitSpec) -> str:
    thresholds = {policy.name: spec.threshold(policy.name) for policy in CALIBRATED}
    known = [f"{name} {value:.4g}" for name, value in thresholds.items() if value is not None]
    return f"{spec.default} by default; thresholds: {', '.join(known) or 'not calibrated'}"


def _size(count: int) -> str:
    return f"{count / 2**20:.2f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"
