"""Where answers go beside stdout: JSON lines, CSV, annotated pictures or a video.

Every row is written as it comes, so that what there is so far is kept whatever happens next.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Manifest
from runtime.cli.answers import Answered
from runtime.drawing import png
from runtime.errors import InputError
from runtime.report.annotation import annotate
from spikehalt.console import cell, json_line
from spikehalt.extras import require_extra
from spikehalt.files import open_waiting_for_nobody, short_name, writing

COLUMNS = (
    "source", "frame", "time_s", "class", "probability", "timesteps", "tokens", "energy_mj",
    "error",
)  # fmt: skip
_STILL_S = 1.0  # how long an image file is shown in a video


class Output(Protocol):
    """Takes answers."""

    def add(self, row: Answered) -> None:
        """Write one answer."""

    def close(self) -> None:
        """Finish the file."""


def _opened(path: Path, encoding: str, newline: str | None = None) -> TextIO:
    """A text file that is written line by line."""
    opener = open_waiting_for_nobody
    return open(path, "w", 1, encoding, "backslashreplace", newline, opener=opener)


class JsonLines:
    """A JSON object per line."""

    def __init__(self, path: Path) -> None:
        self._file = _opened(path, "utf-8")

    def add(self, row: Answered) -> None:
        """See `Output.add`."""
        self._file.write(json_line(row.to_dict()))

    def close(self) -> None:
        """See `Output.close`."""
        self._file.close()


class Csv:
    """A table for spreadsheets, which compute none of its texts; the columns are `COLUMNS`."""

    def __init__(self, path: Path) -> None:
        self._file = _opened(path, "utf-8-sig", newline="")
        self._writer = csv.writer(self._file)
        with ExitStack() as closed:
            closed.callback(self._file.close)
            self._writer.writerow(COLUMNS)
            closed.pop_all()  # it stays open unless the disk is full already

    def add(self, row: Answered) -> None:
        """See `Output.add`."""
        place = [cell(row.source), row.frame, row.time_s]
        answer = row.answer
        if isinstance(answer, InputError):
            self._writer.writerow([*place, *[None] * 5, cell(str(answer))])
            return
        figures = [answer.probability, answer.timesteps, answer.average_tokens, answer.energy_mj]
        self._writer.writerow([*place, cell(answer.name), *figures, None])

    def close(self) -> None:
        """See `Output.close`."""
        self._file.close()


class Pictures:
    """A PNG file per answer in a folder, numbered in their order."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._manifest, self._count = folder, manifest, 0

    def add(self, row: Answered) -> None:
        """See `Output.add`."""
        picture = _annotated(self._manifest, row)
        if picture is not None:
            name = f"{self._count:06}-{short_name(Path(row.source).stem)}.png"
            (self._folder / name).write_bytes(png.encode(picture))
            self._count += 1

    def close(self) -> None:
        """See `Output.close`."""


class Movie:
    """One video of all answers, frames at their own times; playable even if it breaks off.

    Raises:
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self._av = require_extra("av", "video", "writing videos")
        options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
        self._container = self._av.open(str(path), "w", format="mp4", options=options)
        self._manifest = manifest
        self._stream: Any = None
        self._source, self._start_ms, self._last_ms = "", 0, -1

    def add(self, row: Answered) -> None:
        """See `Output.add`."""
        picture = _annotated(self._manifest, row)
        if picture is not None:
            frame = self._av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base, frame.pts = Fraction(1, 1000), self._time_ms(row)
            self._last_ms = frame.pts
            self._stream = self._stream or self._new_stream(picture)
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """See `Output.close`."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def _time_ms(self, row: Answered) -> int:
        """When the row is shown: within its video as there, videos and images after one another."""
        if row.source != self._source:
            self._source = row.source
            self._start_ms = 0 if self._last_ms < 0 else self._last_ms + round(1000 * _STILL_S)
        return max(self._last_ms + 1, self._start_ms + round(1000 * (row.time_s or 0.0)))

    def _new_stream(self, picture: NDArray[np.uint8]) -> Any:
        codecs = self._av.codecs_available
        codec = next(name for name in ("libx264", "libopenh264", "mpeg4") if name in codecs)
        stream = self._container.add_stream(codec, rate=30)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.max_b_frames = 0  # they would shift the times of all frames
        return stream


def is_movie(path: Path) -> bool:
    """Whether annotated pictures go into one video, by the path's ending."""
    return path.suffix.lower() == ".mp4"


def _annotated(manifest: Manifest, row: Answered) -> NDArray[np.uint8] | None:
    if row.picture is None or isinstance(row.answer, InputError):
        return None
    return annotate(manifest, row.picture, row.answer)


@contextmanager
def opened(
    manifest: Manifest, jsonl: Path | None, table: Path | None, pictures: Path | None
) -> Iterator[list[Output]]:
    """The outputs that were asked for, closed in the end whatever ends it.

    Args:
        manifest: of the bundle.
        jsonl: a file of JSON lines.
        table: a CSV file.
        pictures: an .mp4 file, or a folder.

    Raises:
        OutputError: the disk refuses one of them; what is written so far stays.
    """
    asked: list[tuple[Path | None, Callable[[Path], Output]]] = [
        (jsonl, JsonLines),
        (table, Csv),
        (pictures, lambda path: (Movie if is_movie(path) else Pictures)(path, manifest)),
    ]
    with ExitStack() as closed:
        yield [closed.enter_context(_Named(path, make)) for path, make in asked if path is not None]


class _Named:
    """An output whose refusals name its file."""

    def __init__(self, path: Path, make: Callable[[Path], Output]) -> None:
        self._path = path
        with writing(path):
            self._output = make(path)

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, row: Answered) -> None:
        """See `Output.add`."""
        with writing(self._path):
            self._output.add(row)

    def close(self) -> None:
        """See `Output.close`."""
        with writing(self._path):
            self._output.close()
