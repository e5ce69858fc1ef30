"""The folder that results go to: on this machine's disks, or in an object store by its URI."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from runtime.bulk.places import is_uri, opened, shown
from runtime.errors import InputError
from spikehalt.datasets.texts import read_text
from spikehalt.errors import OutputError
from spikehalt.extras import require_extra
from spikehalt.files import make_folder, put_file
from spikehalt.reading import reading, reason


class Folder(Protocol):
    """Files by name, each of which is there whole or not at all."""

    def names(self) -> list[str]:
        """Of the files that are there.

        Raises:
            OutputError: the folder cannot be listed.
        """

    def read(self, name: str) -> str:
        """The text of a file.

        Raises:
            InputError: it cannot be read.
        """

    def put(self, name: str, content: bytes, what: str) -> None:
        """Write a file, in place of one that is there; `what` it is, for the message.

        Raises:
            OutputError: it cannot be written; what was there is intact.
        """


def folder_at(place: str) -> Folder:
    """The folder at a path or URI.

    Raises:
        OutputError: it cannot be made.
        InputError: there is no such kind of store, or it refuses.
        MissingExtraError: a URI, and pyarrow is not installed.
    """
    if place.startswith("file://"):
        return _Here(Path(opened(place)[1]))
    return _Stored(place) if is_uri(place) else _Here(Path(place))


class _Here:
    def __init__(self, path: Path) -> None:
        make_folder(path)
        self._path = path

    def names(self) -> list[str]:
        try:
            return [each.name for each in self._path.iterdir()]
        except OSError as error:
            raise OutputError(f"{self._path} cannot be listed: {reason(error)}") from error

    def read(self, name: str) -> str:
        return read_text(self._path / name)

    def put(self, name: str, content: bytes, what: str) -> None:
        put_file(self._path / name, content, what)


class _Stored:
    """Objects below a prefix; a store shows an object only when all of it has arrived.

    What a store raises is of many kinds (pyarrow passes on Google's as ValueError, for one).
    """

    def __init__(self, place: str) -> None:
        self._shown = shown(place).rstrip("/")
        self._store, path = opened(place)
        self._path = path.rstrip("/")
        with reading(f"the folder {self._shown}", OutputError, "cannot be made"):
            self._store.create_dir(self._path)  # a bucket that is not there is told before the work
        self._fs = require_extra("pyarrow.fs", "ray", f"writing to {self._shown}")

    def names(self) -> list[str]:
        selector = self._fs.FileSelector(self._path, allow_not_found=True)
        with reading(self._shown, OutputError, "cannot be listed"):
            return [each.base_name for each in self._store.get_file_info(selector)]

    def read(self, name: str) -> str:
        with (
            reading(f"{self._shown}/{name}", InputError),
            self._store.open_input_file(f"{self._path}/{name}") as file,
        ):
            return bytes(file.read()).decode()

    def put(self, name: str, content: bytes, what: str) -> None:
        with (
            reading(f"{what} {self._shown}/{name}", OutputError, "cannot be written"),
            self._store.open_output_stream(f"{self._path}/{name}") as file,
        ):
            file.write(content)
