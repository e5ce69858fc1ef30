"""A bundle on its way to machines that have none: files in memory, written where it is opened."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

from runtime.bundle import Bundle
from runtime.bundle.names import MANIFEST_NAME
from runtime.errors import BundleIntegrityError, BundleWriteError
from spikehalt.reading import reason


@dataclass(frozen=True)
class Shipped:
    """The files of a bundle.

    Attributes:
        name: of its folder.
        files: their bytes, by name.
    """

    name: str
    files: dict[str, bytes]

    def unpack(self) -> Path:
        """Write them into a temporary folder, which goes when this object does.

        Raises:
            BundleWriteError: the disk refuses.
        """
        try:
            folder = Path(tempfile.mkdtemp(prefix="spikehalt-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            root = folder / self.name
            root.mkdir()
            for name, content in self.files.items():
                (root / name).write_bytes(content)
        except OSError as error:
            raise BundleWriteError(f"{self.name} cannot be unpacked: {reason(error)}") from error
        return root


def pack(bundle: Bundle) -> Shipped:
    """Everything in a bundle's folder, engines included; the manifest vouches for the files.

    Raises:
        BundleIntegrityError: the folder has become another bundle since it was opened.
    """
    files = {path.name: path.read_bytes() for path in bundle.root.iterdir() if path.is_file()}
    if hashlib.sha256(files.get(MANIFEST_NAME, b"")).hexdigest() != bundle.fingerprint:
        raise BundleIntegrityError(f"{bundle.root} has been replaced: try again")
    return Shipped(bundle.root.name, files)
