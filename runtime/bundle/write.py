"""Writing bundles: a reader, or a power cut, sees the old bundle or the new one, nothing between.

write_bundle("ckpt.bundle", manifest, {"first.onnx": first_bytes, "next.onnx": next_bytes})
update_manifest("ckpt.bundle", dataclasses.replace(bundle.manifest, exit=exit_spec))
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from runtime.bundle.manifest import Manifest
from runtime.bundle.names import (
    FIRST_GRAPH,
    MANIFEST_NAME,
    NEXT_GRAPH,
    SIGNATURE_NAME,
    WEIGHTS_FILE,
    is_file_name,
)
from runtime.bundle.read import Bundle, PathLike, read_manifest
from runtime.bundle.sign import Key, sign
from runtime.bundle.specs import ExitSpec, FileEntry
from runtime.errors import BundleError, BundleFormatError, BundleWriteError
from spikehalt import files as atomic
from spikehalt.reading import reason


def write_bundle(
    path: PathLike,
    manifest: Manifest,
    files: Mapping[str, bytes | Path],
    overwrite: bool | None = None,
) -> Bundle:
    """Write a bundle atomically: a temporary folder beside it, fsync, then one rename.

    Args:
        path: the bundle's folder.
        manifest: what it says; its `files` are filled in here.
        files: contents, or a file to copy, by name.
        overwrite: replace a bundle that is already there; None: if it has nothing that would be
            lost, such as thresholds, engines or a signature. A folder that is not a bundle is never
            replaced.

    Returns:
        The bundle that now lies at `path`.

    Raises:
        BundleFormatError: the manifest contradicts itself or the files.
        BundleWriteError: the disk refused, or something else lies at `path`, or a bundle with more
            than the new one; what was there before is intact.
    """
    target = Path(path)
    _check_target(target, overwrite)
    lost = [] if overwrite else besides(target, files, manifest)
    if lost:
        raise BundleWriteError(
            f"{target} has {', '.join(lost)}, which the new bundle lacks: pass overwrite=True to "
            "replace it without them, or choose another place"
        )
    try:
        with atomic.replacing_folder(target) as folder:
            entries = {
                name: _write_entry(folder, name, source) for name, source in sorted(files.items())
            }
            text = dataclasses.replace(manifest, files=entries).to_json()
            atomic.write_file(folder / MANIFEST_NAME, text.encode())
    except OSError as error:
        raise BundleWriteError(f"cannot write {target}: {reason(error)}") from error
    return Bundle.open(target, verify=False)


def besides(path: PathLike, files: Iterable[str], manifest: Manifest | None = None) -> list[str]:
    """What a bundle has besides its graphs, and what replaces it lacks, in words.

    Args:
        path: the bundle's folder; nothing need be there.
        files: names of what replaces it.
        manifest: of what replaces it.
    """
    root = Path(path)
    if not root.is_dir():
        return []
    there, found = set(os.listdir(root)), []
    exits = _exits(root)
    if exits != ExitSpec() and (manifest is None or exits != manifest.exit):
        found.append("calibrated exit thresholds")
    if SIGNATURE_NAME in there:
        found.append("a signature")
    graphs = (FIRST_GRAPH, NEXT_GRAPH, WEIGHTS_FILE)
    return found + sorted(there - {MANIFEST_NAME, SIGNATURE_NAME, *graphs, *files})


def _exits(root: Path) -> ExitSpec:
    """What is calibrated; nothing where there is no bundle that can be read."""
    try:
        return Bundle.open(root, verify=False).manifest.exit
    except BundleError:
        return ExitSpec()


def update_manifest(path: PathLike, manifest: Manifest) -> Bundle:
    """Replace the manifest of a bundle atomically, leaving its other files alone.

    A signature no longer fits afterwards: `signature_notice` says so.

    Args:
        path: the bundle's folder.
        manifest: the new manifest; its `files` must be those lying there.

    Raises:
        BundleFormatError: the manifest contradicts itself.
        BundleIntegrityError: it lists files that are not there.
        BundleWriteError: the disk refused; the old manifest is intact.
    """
    root = Path(path)
    text = manifest.to_json()
    candidate = Bundle(root, manifest, "")
    for name in manifest.files:
        candidate.path(name)
    try:
        atomic.replace_file(root / MANIFEST_NAME, text.encode())
    except OSError as error:
        raise BundleWriteError(f"cannot update {root / MANIFEST_NAME}: {reason(error)}") from error
    return Bundle.open(root, verify=False)


def add_files(path: PathLike, files: Mapping[str, bytes | Path]) -> Bundle:
    """Add files, such as built engines, to a bundle, or replace ones added before.

    A file to be replaced first leaves the manifest, so that the bundle is valid at every moment.
    A signature no longer fits afterwards: `signature_notice` says so.

    Args:
        path: the bundle's folder.
        files: contents, or a file to copy, by name; not a graph.

    Raises:
        BundleFormatError: a name that is not a plain file name, or that is a graph's.
        BundleWriteError: the disk refused; the bundle is valid, without the new files.
    """
    bundle = Bundle.open(path, verify=False)
    graphs = {FIRST_GRAPH, NEXT_GRAPH} & set(files)
    if graphs:
        raise BundleFormatError(f"{sorted(graphs)} cannot be replaced alone: write a new bundle")
    kept = {name: entry for name, entry in bundle.manifest.files.items() if name not in files}
    if len(kept) != len(bundle.manifest.files):
        update_manifest(path, dataclasses.replace(bundle.manifest, files=kept))
    try:
        added = {name: _write_entry(bundle.root, name, source) for name, source in files.items()}
    except OSError as error:
        raise BundleWriteError(f"cannot add to {bundle.root}: {reason(error)}") from error
    return update_manifest(path, dataclasses.replace(bundle.manifest, files={**kept, **added}))


def sign_bundle(path: PathLike, private_key: Key, release: int | None = None) -> Bundle:
    """Sign the manifest of a bundle, and thereby every file it lists.

    Any later change of the manifest, such as a calibration, needs a new signature.

    Args:
        path: the bundle's folder.
        private_key: an Ed25519 key: 32 bytes, or the path of a PEM file.
        release: what the manifest's release becomes first; None leaves it.

    Raises:
        BundleError: not a valid bundle, or the disk refused.
        ConfigError: not such a key.
        MissingExtraError: the package cryptography is not installed.
    """
    bundle = Bundle.open(path)
    if release is not None and release != bundle.manifest.release:
        sign(b"", private_key)  # a key that is none must not cost the old signature
        bundle = update_manifest(path, dataclasses.replace(bundle.manifest, release=release))
    signature = sign(read_manifest(bundle.root), private_key)
    try:
        atomic.replace_file(bundle.root / SIGNATURE_NAME, signature)
    except OSError as error:
        raise BundleWriteError(f"cannot sign {bundle.root}: {reason(error)}") from error
    return bundle


def signature_notice(path: PathLike) -> str | None:
    """What to tell who changed a bundle (`update_manifest`, `add_files`) that was signed.

    Args:
        path: the bundle's folder.

    Returns:
        That the signature no longer fits, and how to sign again; None if it was never signed.
    """
    root = Path(path)
    if not (root / SIGNATURE_NAME).exists():
        return None
    return (
        f"the manifest of {root} has changed, so its signature no longer fits: sign it again with "
        f"`python -m runtime sign {root} --key KEY.pem`"
    )


def _write_entry(folder: Path, name: str, source: bytes | Path) -> FileEntry:
    if not is_file_name(name):
        raise BundleFormatError(f"{name!r} is not a plain file name inside the bundle")
    digest, size = atomic.replace_file(folder / name, source)
    return FileEntry(sha256=digest, bytes=size)


def _check_target(target: Path, overwrite: bool | None) -> None:
    if not os.path.lexists(target):
        return
    if overwrite is False:
        raise BundleWriteError(f"{target} exists already; pass overwrite=True to replace it")
    is_bundle = target.is_dir() and (target / MANIFEST_NAME).exists()
    if target.is_symlink() or not (is_bundle or _is_empty(target)):
        raise BundleWriteError(f"{target} exists and is not a bundle: choose another place")


def _is_empty(target: Path) -> bool:
    return target.is_dir() and not any(target.iterdir())
