"""`python -m runtime run BUNDLE SOURCE…`: classify files, videos, cameras and streams."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from runtime.cli import options, shards
from runtime.cli.answers import Answered, Reading, of_files, of_video
from runtime.cli.outputs import is_movie, opened
from runtime.engine import Engine
from runtime.errors import InputError
from runtime.inputs.files import Sample, class_indices
from runtime.inputs.video import is_video
from runtime.report.pictures import missing_heat_maps
from runtime.results.result import ImageResult
from spikehalt import console
from spikehalt.commands import DONE, NEGATIVE, STOPPED, above_zero
from spikehalt.errors import ConfigError

MAX_TIMEOUT_S = 86_400.0
SOURCES_HELP = (
    f"{options.IMAGES_HELP}; with --out also .tar, .parquet, s3:// and gs://; videos, cameras (0, "
    "/dev/video0) and streams (rtsp://…, http://…)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.add_bundle(parser)
    parser.add_argument("paths", metavar="SOURCE", nargs="+", help=SOURCES_HELP)
    options.add_exit(parser)
    options.add_batch(parser)
    options.add_files(parser)
    parser.add_argument(
        "--annotate", type=Path, metavar="FILE.mp4|DIR",
        help="pictures with answers and living patches: a video, or a folder of PNG files",
    )  # fmt: skip
    parser.add_argument(
        "--jsonl", type=Path, metavar="FILE", help="a JSON object per image or frame, as it comes"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="a row per image or frame, for spreadsheets"
    )
    parser.add_argument(
        "--every", type=options.positive, default=1, metavar="N",
        help="of a video, take every Nth frame (default 1)",
    )  # fmt: skip
    parser.add_argument(
        "--max-fps",
        type=above_zero(options.MAX_FPS),
        metavar="F",
        help="of a video, take at most F frames per second",
    )
    parser.add_argument(
        "--timeout", type=above_zero(MAX_TIMEOUT_S), default=10.0, metavar="S",
        help="seconds that a stream may give nothing (default 10)",
    )  # fmt: skip
    shards.add_arguments(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Classify and show; 1 if a file could not be read, or a video not to its end."""
    if arguments.out is not None or arguments.ray is not None:
        return shards.run(arguments)
    _check_outputs(arguments)
    shown = Shown(keep=arguments.json)
    with options.open_engine(arguments, max_batch=arguments.batch) as engine:
        stopped = _answer(engine, arguments, shown)
        missing = missing_heat_maps(engine.manifest)
        if arguments.annotate and missing:
            console.note(f"no patch is dimmed: {missing}")
        (_show_json if arguments.json else _show_table)(engine, shown)
    if shown.unread:
        console.note(f"{shown.unread} of {shown.sources} files could not be read, each says why")
    return STOPPED if stopped else NEGATIVE if shown.unread else DONE


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Refuse files that cannot be written before any work is done for them."""
    pictures = arguments.annotate
    if pictures is not None and not is_movie(pictures) and pictures.suffix:
        raise ConfigError(f"--annotate {pictures} must be a file ending in .mp4, or a folder")
    movie = pictures if pictures is not None and is_movie(pictures) else None
    for path in filter(None, (arguments.jsonl, arguments.csv, movie)):
        options.check_output(path)


def _answer(engine: Engine, arguments: argparse.Namespace, shown: Shown) -> bool:
    """Take answers as they come to where they go; returns whether Ctrl-C ended it."""
    files = (arguments.jsonl, arguments.csv, arguments.annotate)
    tells = not (arguments.json or any(files))
    with opened(engine.manifest, *files) as outputs:
        try:
            for row in _rows(engine, arguments):
                for output in outputs:
                    output.add(row)
                shown.add(row)
                if tells and row.frame is not None and isinstance(row.answer, ImageResult):
                    console.say(_line(row, row.answer))
        except KeyboardInterrupt:
            if not shown.total.images:
                raise
            console.note("stopped; what was answered until then is kept")
            return True
    return False


def _rows(engine: Engine, arguments: argparse.Namespace) -> Iterator[Answered]:
    """Answers for the files first, then for one video after the other."""
    spec = options.input_spec(arguments, engine.manifest.input)
    reading = Reading(
        spec=spec,
        batch=arguments.batch,
        pictures=arguments.annotate is not None,
        every=arguments.every,
        max_fps=arguments.max_fps,
        timeout_s=arguments.timeout,
    )
    videos = [path for path in arguments.paths if is_video(path)]
    files = [path for path in arguments.paths if path not in videos]
    if files:
        yield from of_files(engine, options.find(files, spec, arguments.split), reading)
    for source in videos:
        yield from of_video(engine, source, reading)


@dataclass
class Tally:
    """Running means over answers; an energy that is unknown once is unknown.

    Attributes:
        classes: how often each was the answer.
    """

    classes: Counter[str] = field(default_factory=Counter)
    probability: float = 0.0
    timesteps: int = 0
    tokens: float = 0.0
    energy_mj: float | None = 0.0

    @property
    def images(self) -> int:
        """How many were counted."""
        return self.classes.total()

    def add(self, answer: ImageResult) -> None:
        """Count one."""
        self.classes[answer.name] += 1
        self.probability += answer.probability
        self.timesteps += answer.timesteps
        self.tokens += answer.average_tokens
        known = self.energy_mj is not None and answer.energy_mj is not None
        self.energy_mj = self.energy_mj + answer.energy_mj if known else None  # type: ignore[operator]

    def means(self) -> dict[str, float | int | None]:
        """For a summary; energy is None if the bundle has no constants for it."""
        if not self.images:
            return {"images": 0}
        return {
            "images": self.images,
            "average_timesteps": self.timesteps / self.images,
            "average_tokens": self.tokens / self.images,
            "average_energy_mj": None if self.energy_mj is None else self.energy_mj / self.images,
        }


@dataclass
class Shown:
    """What stdout says in the end: a line per file and per video, not per frame.

    Attributes:
        keep: every answer, for `--json`; else frames are counted and forgotten.
        rows: the answers that are shown one by one.
        videos: means over the frames of each.
        total: means over all.
        read: files that could be read, and their labels.
        files: how many there are.
        unread: files that could not be read, and videos not to their end.
    """

    keep: bool
    rows: list[Answered] = field(default_factory=list)
    videos: dict[str, Tally] = field(default_factory=dict)
    total: Tally = field(default_factory=Tally)
    read: list[tuple[Sample, int]] = field(default_factory=list)
    files: int = 0
    unread: int = 0

    @property
    def sources(self) -> int:
        """Files and videos."""
        return self.files + len(self.videos)

    def add(self, row: Answered) -> None:
        """Take one answer."""
        if is_video(row.source):
            self.videos.setdefault(row.source, Tally())
        else:
            self.files += 1
        if self.keep or row.frame is None:
            self.rows.append(replace(row, picture=None))
        if isinstance(row.answer, InputError):
            self.unread += 1
            return
        self.total.add(row.answer)
        if row.sample is not None:
            self.read.append((row.sample, row.answer.label))
        else:
            self.videos[row.source].add(row.answer)

    def summary(self, classes: Sequence[str]) -> dict[str, float | int | None]:
        """Means over images and frames.

        Accuracy is None unless everything that was read is a file in a folder with a class's name.
        """
        means = self.total.means()
        return {**means, "accuracy": self._accuracy(classes)} if self.total.images else means

    def _accuracy(self, classes: Sequence[str]) -> float | None:
        if len(self.read) < self.total.images:
            return None
        try:
            truth = class_indices([sample for sample, _ in self.read], classes)
        except InputError:
            return None
        return float((truth == [label for _, label in self.read]).mean())


def _show_json(engine: Engine, shown: Shown) -> None:
    console.write_json(
        {
            "bundle": engine.manifest.name,
            "backend": engine.info.name,
            "settings": asdict(engine.settings),
            "notice": engine.notice,
            "images": [row.to_dict() for row in shown.rows],
            "summary": shown.summary(engine.manifest.classes),
        }
    )


def _show_table(engine: Engine, shown: Shown) -> None:
    console.write_table(
        f"{engine.manifest.name} on {engine.info.name}",
        ["file", "class", ">probability", ">timesteps", ">tokens", ">energy"],
        [
            *map(_cells, shown.rows),
            *(_video_cells(*each) for each in shown.videos.items() if each[1].images),
        ],
        _footer(shown.summary(engine.manifest.classes)),
    )
    if engine.notice:
        console.note(engine.notice)


def _cells(row: Answered) -> list[str]:
    answer = row.answer
    if isinstance(answer, InputError):
        return [row.source, f"error: {answer}", "", "", "", ""]
    return [
        row.source,
        answer.name,
        f"{answer.probability:.3f}",
        str(answer.timesteps),
        f"{answer.average_tokens:.3f}",
        console.energy_text(answer.energy_mj),
    ]


def _video_cells(source: str, tally: Tally) -> list[str]:
    """Means over a video's frames, and its most frequent class."""
    count = tally.images
    ((name, often),) = tally.classes.most_common(1)
    return [
        source,
        f"{name} in {often} of {count} frames",
        f"{tally.probability / count:.3f}",
        f"{tally.timesteps / count:.2f}",
        f"{tally.tokens / count:.3f}",
        console.energy_text(None if tally.energy_mj is None else tally.energy_mj / count),
    ]


def _line(row: Answered, answer: ImageResult) -> str:
    return (
        f"{row.source} {row.time_s:.2f} s: {answer.name} ({answer.probability:.2f}) after "
        f"{answer.timesteps} timestep(s)"
    )


def _footer(means: dict[str, float | int | None]) -> str:
    if not means["images"]:
        return "no image could be read"
    text = (
        f"{means['images']} image(s): {means['average_timesteps']:.2f} timesteps, "
        f"{means['average_tokens']:.3f} × K₀ tokens on average (K₀: before the first block)"
    )
    if means["accuracy"] is not None:
        text = f"{means['accuracy']:.2%} right by the folders' names; {text}"
    energy = means["average_energy_mj"]
    return text if energy is None else f"{text}, {console.energy_text(energy)} (estimated)"
