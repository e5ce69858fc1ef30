"""Bundles on disk: a folder with `manifest.json`, graphs and engines (design section 5).

    bundle = Bundle.open("ckpt.bundle")
    graph = bundle.read("first.onnx")

    write_bundle("ckpt.bundle", manifest, {"first.onnx": first_bytes, "next.onnx": next_bytes})
    update_manifest("ckpt.bundle", dataclasses.replace(bundle.manifest, exit=exit_spec))

Reading refuses what is missing, truncated, modified or outside the folder; writing is atomic: a
reader, or a power cut, sees the old bundle or the new one and nothing between.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.bundle.manifest import (
    FIRST_GRAPH,
    FORMAT,
    FORMAT_VERSION,
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    NEXT_GRAPH,
    SIGNATURE_NAME,
    EnergySpec,
    ExitSpec,
    FileEntry,
    HaltingSpec,
    InputSpec,
    Manifest,
    is_file_name,
)
from runtime.bundle.sign import Key, check_signature, sign
from runtime.errors import BundleFormatError, BundleIntegrityError, BundleWriteError
from spikehalt import files as atomic
from spikehalt.strict import unknown_name

__all__ = [
    "FIRST_GRAPH",
    "FORMAT",
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "NEXT_GRAPH",
    "SIGNATURE_NAME",
    "Bundle",
    "EnergySpec",
    "ExitSpec",
    "FileEntry",
    "HaltingSpec",
    "InputSpec",
    "Manifest",
    "add_files",
    "sign_bundle",
    "signature_notice",
    "update_manifest",
    "write_bundle",
]

PathLike = str | os.PathLike[str]
_BLOCK = 2**20


@dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest has been read and checked.

    Attributes:
        root: the folder.
        manifest: what it says.
        fingerprint: sha256 of `manifest.json`, which covers every file of the bundle.
    """

    root: Path
    manifest: Manifest
    fingerprint: str

    @classmethod
    def open(cls, path: PathLike, verify: bool = True, public_key: Key | None = None) -> Bundle:
        """Open a bundle.

        Args:
            path: the bundle's folder.
            verify: check the sha256 of every file now; otherwise only their presence and size
                (`read` checks the sha256 of what it reads in any case).
            public_key: refuse manifests that this Ed25519 key did not sign: 32 bytes, or the
                path of a PEM file.

        Raises:
            BundleSignatureError: not signed, or not by this key.
            BundleFormatError: not a bundle, or a manifest that is not exactly as expected.
            BundleVersionError: a newer format.
            BundleIntegrityError: a file is missing, truncated or modified.
        """
        root = Path(path)
        data = _read_manifest(root)
        if public_key is not None:  # before anything of it is believed
            check_signature(data, _read_signature(root), public_key, str(root))
        manifest = Manifest.from_json(_decoded(data, root), f"{root.name}/{MANIFEST_NAME}")
        if not manifest.files:
            raise BundleFormatError(f"{root}: the manifest lists no files")
        bundle = cls(root, manifest, hashlib.sha256(data).hexdigest())
        for name in manifest.files:
            bundle._check_file(name, verify)
        return bundle

    def path(self, name: str) -> Path:
        """Where the file `name` lies; it exists, has the declared size and is inside the bundle.

        Raises:
            BundleFormatError: the manifest does not list `name`.
            BundleIntegrityError: it is missing, truncated or leads out of the bundle.
        """
        entry = self._entry(name)
        path = self.root / name
        fd = _open_inside(self.root, name)
        try:
            size = os.fstat(fd).st_size
        finally:
            os.close(fd)
        if size != entry.bytes:
            raise BundleIntegrityError(_wrong_size(path, size, entry.bytes))
        return path

    def read(self, name: str) -> bytes:
        """The contents of the file `name`, checked against its sha256.

        Raises:
            BundleFormatError: the manifest does not list `name`.
            BundleIntegrityError: it is missing, truncated, modified or outside the bundle.
        """
        entry = self._entry(name)
        path = self.root / name
        with os.fdopen(_open_inside(self.root, name), "rb") as file:
            data = file.read(entry.bytes + 1)  # never more than declared, whatever lies there
        if len(data) != entry.bytes:
            size = os.stat(path).st_size
            raise BundleIntegrityError(_wrong_size(path, size, entry.bytes))
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise BundleIntegrityError(_modified(path))
        return data

    def _entry(self, name: str) -> FileEntry:
        files = self.manifest.files
        if name not in files:
            raise BundleFormatError(f"{self.root}: {unknown_name('file', name, files)}")
        return files[name]

    def _check_file(self, name: str, verify: bool) -> None:
        path = self.path(name)
        if not verify:
            return
        with os.fdopen(_open_inside(self.root, name), "rb") as file:
            if _digest(file.fileno()) != self.manifest.files[name].sha256:
                raise BundleIntegrityError(_modified(path))


def write_bundle(
    path: PathLike,
    manifest: Manifest,
    files: Mapping[str, bytes | Path],
    overwrite: bool = True,
) -> Bundle:
    """Write a bundle atomically: a temporary folder beside it, fsync, then one rename.

    Args:
        path: the bundle's folder.
        manifest: what it says; its `files` are filled in here.
        files: contents, or a file to copy, by name.
        overwrite: replace a bundle that is already there. A folder that is not a bundle is
            never replaced.

    Returns:
        The bundle that now lies at `path`.

    Raises:
        BundleFormatError: the manifest contradicts itself or the files.
        BundleWriteError: the disk refused, or something else lies at `path`; what was there
            before is intact.
    """
    target = Path(path)
    _check_target(target, overwrite)
    try:
        with atomic.replacing_folder(target) as folder:
            entries = {
                name: _write_entry(folder, name, source) for name, source in sorted(files.items())
            }
            text = dataclasses.replace(manifest, files=entries).to_json()
            atomic.write_file(folder / MANIFEST_NAME, text.encode())
    except OSError as error:
        raise BundleWriteError(f"cannot write {target}: {error}") from error
    return Bundle.open(target, verify=False)


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
        raise BundleWriteError(f"cannot update {root / MANIFEST_NAME}: {error}") from error
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
        raise BundleWriteError(f"cannot add to {bundle.root}: {error}") from error
    return update_manifest(path, dataclasses.replace(bundle.manifest, files={**kept, **added}))


def sign_bundle(path: PathLike, private_key: Key) -> Bundle:
    """Sign the manifest of a bundle, and thereby every file it lists.

    Any later change of the manifest, such as a calibration, needs a new signature.

    Args:
        path: the bundle's folder.
        private_key: an Ed25519 key: 32 bytes, or the path of a PEM file.

    Raises:
        BundleError: not a valid bundle, or the disk refused.
        ConfigError: not such a key.
        MissingExtraError: the package cryptography is not installed.
    """
    bundle = Bundle.open(path)
    signature = sign(_read_manifest(bundle.root), private_key)
    try:
        atomic.replace_file(bundle.root / SIGNATURE_NAME, signature)
    except OSError as error:
        raise BundleWriteError(f"cannot sign {bundle.root}: {error}") from error
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


def _read_manifest(root: Path) -> bytes:
    if not root.exists():
        raise BundleFormatError(f"{root} does not exist; `python -m export.to_trt` writes bundles")
    if not root.is_dir():
        raise BundleFormatError(
            f"{root} is a file, not a bundle folder; `python -m export.to_trt` makes a bundle "
            "from a checkpoint"
        )
    if not (root / MANIFEST_NAME).exists():
        raise BundleFormatError(f"{root} has no {MANIFEST_NAME}, so it is not a bundle")
    data = _read_bounded(root, MANIFEST_NAME, MAX_MANIFEST_BYTES)
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleFormatError(f"{root}/{MANIFEST_NAME} is larger than {MAX_MANIFEST_BYTES} bytes")
    return data


def _read_signature(root: Path) -> bytes | None:
    """The signature, None if there is none; a longer file is cut and will not match."""
    if not (root / SIGNATURE_NAME).exists():
        return None
    return _read_bounded(root, SIGNATURE_NAME, 1024)


def _read_bounded(root: Path, name: str, limit: int) -> bytes:
    """Up to `limit` + 1 bytes of a file inside the bundle."""
    with os.fdopen(_open_inside(root, name), "rb") as file:
        return file.read(limit + 1)


def _decoded(data: bytes, root: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleFormatError(f"{root}/{MANIFEST_NAME} is not UTF-8 text: {error}") from error


def _open_inside(root: Path, name: str) -> int:
    """Open a regular file whose real place is inside `root` (links may not lead out)."""
    path = root / name
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(root.resolve()):
            raise BundleIntegrityError(f"{path} leads out of the bundle, to {real}")
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        fd = os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise BundleIntegrityError(f"{path} is missing: export or copy the bundle again") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise BundleIntegrityError(f"{path} cannot be read: {error}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise BundleIntegrityError(f"{path} is not a regular file")
    return fd


def _digest(fd: int) -> str:
    digest = hashlib.sha256()
    while block := os.read(fd, _BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _write_entry(folder: Path, name: str, source: bytes | Path) -> FileEntry:
    if not is_file_name(name):
        raise BundleFormatError(f"{name!r} is not a plain file name inside the bundle")
    digest, size = atomic.replace_file(folder / name, source)
    return FileEntry(sha256=digest, bytes=size)


def _check_target(target: Path, overwrite: bool) -> None:
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise BundleWriteError(f"{target} exists already; pass overwrite=True to replace it")
    is_bundle = target.is_dir() and (target / MANIFEST_NAME).exists()
    if target.is_symlink() or not (is_bundle or _is_empty(target)):
        raise BundleWriteError(f"{target} exists and is not a bundle: choose another place")


def _is_empty(target: Path) -> bool:
    return target.is_dir() and not any(target.iterdir())


def _wrong_size(path: Path, size: int, declared: int) -> str:
    what = "truncated" if size < declared else "longer than declared"
    return f"{path} is {what}: {size} bytes, the manifest says {declared}; copy the bundle again"


def _modified(path: Path) -> str:
    return f"{path} was modified: its sha256 is not the manifest's; export or copy it again"
