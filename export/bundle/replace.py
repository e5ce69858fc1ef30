"""Exporting to where a bundle lies already: what it has and the new one lacks is not lost unasked.

Thresholds, engines and signatures belong to graphs. The same graphs again keep them; other graphs
replace them when that was asked for.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from runtime.bundle import (
    FIRST_GRAPH,
    NEXT_GRAPH,
    WEIGHTS_FILE,
    Bundle,
    Manifest,
    besides,
    signature_notice,
    update_manifest,
    write_bundle,
)
from runtime.errors import BundleError, BundleWriteError

_GRAPH_FILES = (FIRST_GRAPH, NEXT_GRAPH, WEIGHTS_FILE)


def replace_bundle(
    target: Path,
    manifest: Manifest,
    files: Mapping[str, bytes],
    *,
    force: bool,
    say: Callable[[str], None],
) -> Bundle:
    """Write a bundle, or keep the one there where its graphs are the same.

    Args:
        target: the bundle's folder.
        manifest: of the new bundle.
        files: its graphs and weights.
        force: replace one with other graphs, whatever it has.
        say: takes what was kept or dropped, a line.

    Raises:
        BundleWriteError: it has what the new one lacks, and `force` is false; or the disk refused.
    """
    old = _there(target, verify=False)
    if old is not None and _same_graphs(old, files) and _there(target, verify=True):
        kept = besides(target, files)
        say(f"{target} has these graphs already; kept: {', '.join(kept) or 'all of it'}")
        return _updated(old, manifest, say)
    lost = besides(target, files)
    if lost and not force:
        raise BundleWriteError(
            f"{target} has {', '.join(lost)}, which other graphs make void: pass --force to "
            "replace it without them, or --out to write elsewhere"
        )
    written = write_bundle(target, manifest, files, overwrite=True)
    if lost:
        say(f"replaced {target}, and with it {', '.join(lost)}")
    return written


def _there(target: Path, *, verify: bool) -> Bundle | None:
    """The bundle at `target`; None if there is none that can be read."""
    try:
        return Bundle.open(target, verify=verify)
    except BundleError:
        return None


def _same_graphs(old: Bundle, files: Mapping[str, bytes]) -> bool:
    there = {name: old.manifest.files[name].sha256 for name in _GRAPH_FILES if _has(old, name)}
    return there == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def _has(bundle: Bundle, name: str) -> bool:
    return name in bundle.manifest.files


def _updated(old: Bundle, manifest: Manifest, say: Callable[[str], None]) -> Bundle:
    """The old bundle with what the new manifest says otherwise."""
    before = old.manifest
    wanted = dataclasses.replace(
        manifest,
        exit=before.exit,
        files=before.files,
        producer=before.producer,
        release=before.release,
    )
    if wanted == before:
        return old
    updated = update_manifest(old.root, wanted)
    notice = signature_notice(old.root)
    if notice:
        say(notice)
    return updated
