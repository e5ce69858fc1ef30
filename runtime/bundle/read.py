"""Reading a bundle: a folder with `manifest.json`, graphs and engines (design section 5).

Whatever is missing, truncated, modified or outside the folder is refused. All files are opened
together with the manifest and read through their descriptors, so that a writer who replaces the
bundle meanwhile changes nothing for who has opened it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.bundle.manifest import MAX_MANIFEST_BYTES, Manifest
from runtime.bundle.names import MANIFEST_NAME, SIGNATURE_NAME
from runtime.bundle.sign import Key, SignatureState, check_release, check_signature
from runtime.bundle.specs import FileEntry
from runtime.errors import (
    BundleError,
    BundleFormatError,
    BundleIntegrityError,
    BundleSignatureError,
)
from spikehalt.errors import ConfigError
from spikehalt.reading import FETCH_IT, is_lfs_pointer, reading, refuse_lfs_pointer
from spikehalt.strict import unknown_name

PathLike = str | os.PathLike[str]
_BLOCK = 2**20
_ATTEMPTS = 50  # to open a bundle that is being replaced; each takes less than a millisecond
_CAN_HOLD = hasattr(os, "pread")  # Windows has no such reading, and replaces no open files


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
    _held: _Held | None = field(default=None, repr=False, compare=False)

    def __reduce__(self) -> tuple[Callable[..., Bundle], tuple[Path, str]]:
        """Descriptors stay in this process: another one opens the bundle again."""
        return _reopen, (self.root, self.fingerprint)

    @classmethod
    def open(
        cls,
        path: PathLike,
        verify: bool = True,
        public_key: Key | None = None,
        min_release: int | None = None,
    ) -> Bundle:
        """Open a bundle.

        Args:
            path: the bundle's folder.
            verify: check the sha256 of every file now; otherwise only their presence and size
                (`read` checks the sha256 of what it reads in any case).
            public_key: refuse manifests that this Ed25519 key did not sign: 32 bytes, or the
                path of a PEM file.
            min_release: refuse older releases too, which this key signed once; needs the key,
                since who can change a manifest can change its release.

        Raises:
            ConfigError: a `min_release` without a key.
            BundleSignatureError: not signed, not by this key, or an older release.
            BundleFormatError: not a bundle, or a manifest that is not exactly as expected.
            BundleVersionError: a newer format.
            BundleIntegrityError: a file is missing, truncated or modified.
        """
        root = as_path(path)
        if min_release is not None and public_key is None:
            raise ConfigError("min_release needs public_key: without one, any release can be faked")
        for _ in range(_ATTEMPTS):
            before = _identity(root)
            try:
                return cls._open(root, verify, public_key, min_release)
            except BundleError:
                if _identity(root) == before:
                    raise
        raise BundleIntegrityError(f"{root} is being replaced all the time: open it later")

    @classmethod
    def _open(
        cls, root: Path, verify: bool, public_key: Key | None, min_release: int | None
    ) -> Bundle:
        data = read_manifest(root)
        if public_key is not None:  # before anything of it is believed
            check_signature(data, _read_signature(root), public_key, str(root))
        manifest = Manifest.from_json(_decoded(data, root), f"{root.name}/{MANIFEST_NAME}")
        if not manifest.files:
            raise BundleFormatError(f"{root}: the manifest lists no files")
        check_release(manifest.release, min_release, str(root))
        bundle = cls(root, manifest, hashlib.sha256(data).hexdigest(), _Held())
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
        with self._opened(name) as descriptor:
            size = os.fstat(descriptor).st_size
            # never more than declared, whatever lies there
            data = _read_from(descriptor, entry.bytes + 1)
        if len(data) != entry.bytes:
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
        entry, path = self._entry(name), self.root / name
        if self._held is not None and _CAN_HOLD:
            self._held.add(name, _open_inside(self.root, name))
        with self._opened(name) as descriptor:
            size = os.fstat(descriptor).st_size
            if size != entry.bytes:
                raise BundleIntegrityError(_wrong_size(path, size, entry.bytes))
            if verify and _digest(descriptor) != entry.sha256:
                raise BundleIntegrityError(_modified(path))

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        """A descriptor of the file, as it was when the bundle was opened."""
        if self._held is not None and name in self._held.descriptors:
            yield self._held.descriptors[name]
            return
        descriptor = _open_inside(self.root, name)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


class _Held:
    """Descriptors that are open as long as somebody has the bundle."""

    def __init__(self) -> None:
        self.descriptors: dict[str, int] = {}

    def add(self, name: str, descriptor: int) -> None:
        self.descriptors[name] = descriptor

    def __del__(self) -> None:
        for descriptor in self.descriptors.values():
            with suppress(OSError):
                os.close(descriptor)


def as_path(path: Any) -> Path:
    """A bundle's path.

    Raises:
        BundleFormatError: it is no path.
    """
    if isinstance(path, str | os.PathLike):
        return Path(path)
    raise BundleFormatError(
        f"a bundle is the path of a folder, not {type(path).__name__} {str(path)[:80]!r}"
    )


def _reopen(root: Path, fingerprint: str) -> Bundle:
    bundle = Bundle.open(root, verify=False)
    if bundle.fingerprint != fingerprint:
        raise BundleIntegrityError(f"{root} was replaced meanwhile: open it again")
    return bundle


def _identity(root: Path) -> tuple[int, int] | None:
    """Which manifest lies there: every writer makes a new file."""
    try:
        status = os.stat(root / MANIFEST_NAME)
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_mtime_ns


def _read_from(descriptor: int, most: int) -> bytes:
    """Up to so many bytes from the start, wherever others read."""
    parts, at = [], 0
    while at < most:
        block = _read_at(descriptor, min(most - at, _BLOCK), at)
        if not block:
            break
        parts.append(block)
        at += len(block)
    return b"".join(parts)


def _read_at(descriptor: int, size: int, at: int) -> bytes:
    if _CAN_HOLD:
        return os.pread(descriptor, size, at)
    os.lseek(descriptor, at, os.SEEK_SET)
    return os.read(descriptor, size)


def read_manifest(root: Path) -> bytes:
    """The bytes of a bundle's manifest.

    Raises:
        BundleFormatError: not a bundle, or a manifest that is too large.
        BundleIntegrityError: it cannot be read.
    """
    with reading(root, BundleIntegrityError):
        there, is_folder = root.exists(), root.is_dir()
    if not there:
        raise BundleFormatError(f"{root} does not exist; `python -m export.to_trt` writes bundles")
    if not is_folder:
        raise BundleFormatError(
            f"{root} is a file, not a bundle folder; `python -m export.to_trt` makes a bundle "
            "from a checkpoint"
        )
    if not (root / MANIFEST_NAME).exists():
        raise BundleFormatError(f"{root} has no {MANIFEST_NAME}, so it is not a bundle")
    data = _read_bounded(root, MANIFEST_NAME, MAX_MANIFEST_BYTES)
    refuse_lfs_pointer(root / MANIFEST_NAME, data, BundleIntegrityError)
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleFormatError(f"{root}/{MANIFEST_NAME} is larger than {MAX_MANIFEST_BYTES} bytes")
    return data


def signature_state(path: PathLike, public_key: Key | None = None) -> SignatureState:
    """Whether a bundle is signed, and whether the signature is that of the key's owner.

    Raises:
        BundleError: its manifest cannot be read.
        ConfigError: not an Ed25519 public key.
        MissingExtraError: the package cryptography is not installed.
    """
    root = Path(path)
    data, signature = read_manifest(root), _read_signature(root)
    if signature is None:
        return "none"
    if public_key is None:
        return "not checked"
    try:
        check_signature(data, signature, public_key, str(root))
    except BundleSignatureError:
        return "does not fit"
    return "fits"


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


def _digest(descriptor: int) -> str:
    digest, at = hashlib.sha256(), 0
    while block := _read_at(descriptor, _BLOCK, at):
        digest.update(block)
        at += len(block)
    return digest.hexdigest()


def _wrong_size(path: Path, size: int, declared: int) -> str:
    if is_lfs_pointer(path):
        return f"{path} {FETCH_IT}"
    what = "truncated" if size < declared else "longer than declared"
    return f"{path} is {what}: {size} bytes, the manifest says {declared}; copy the bundle again"


def _modified(path: Path) -> str:
    return f"{path} was modified: its sha256 is not the manifest's; export or copy it again"
