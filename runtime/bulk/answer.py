"""Rows out of images: an answer each, or why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bulk.reading import Content, read_shard
from runtime.bulk.rows import Row, encode
from runtime.bulk.shards import Shard, suffixes_of
from runtime.bundle import InputSpec
from runtime.engine import Engine
from runtime.errors import InputError
from runtime.inputs.check import check_inputs, fit_frame
from runtime.inputs.files import decode_frames, decode_image
from runtime.results.result import ImageResult
from spikehalt.datasets.preprocessing import Preprocessing


@dataclass(frozen=True)
class Answering:
    """How shards are answered; can be pickled for other machines.

    Attributes:
        engine: arguments of `runtime.Engine`, but for the bundle.
        batch: images at once.
        form: of the results, one of `FORMATS`.
        preprocessing: how files become pixels; None: as the bundle was trained.
    """

    engine: dict[str, Any]
    batch: int
    form: str = "jsonl"
    preprocessing: Preprocessing | None = None

    def spec(self, spec: InputSpec) -> InputSpec:
        """A bundle's input, read in this way."""
        if self.preprocessing is None:
            return spec
        return replace(spec, preprocessing=self.preprocessing)


@dataclass(frozen=True)
class Answered:
    """What became of a shard.

    Attributes:
        number: of the shard.
        content: of its file of results.
        images: that were answered.
        unread: images that could not be read.
        timesteps: of all that were answered, together.
        classes: how often each was the answer.
    """

    number: int
    content: bytes
    images: int
    unread: int
    timesteps: int
    classes: dict[str, int]


def answer_shard(engine: Engine, shard: Shard, how: Answering) -> Answered:
    """The results of a shard, in the order of its images."""
    spec = how.spec(engine.manifest.input)
    images = read_shard(shard, suffixes_of(spec))
    rows: list[Row] = []
    for part in _parts(images, how.batch):
        rows += answer_images(engine, spec, part)
    good = [row for row in rows if row["error"] is None]
    return Answered(
        number=shard.number,
        content=encode(rows, how.form),
        images=len(good),
        unread=len(rows) - len(good),
        timesteps=sum(row["timesteps"] or 0 for row in good),
        classes=dict(Counter(str(row["name"]) for row in good)),
    )


def _parts(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def answer_images(
    engine: Engine, spec: InputSpec, images: Sequence[tuple[str, Content | NDArray[Any]]]
) -> list[Row]:
    """Rows of images that are answered in one call.

    Args:
        engine: what answers.
        spec: its input, as files are to become it.
        images: names, and the bytes of files, pixels uint8 [h, w, C], or why there are none.
    """
    decoded = [_decoded(content, name, spec) for name, content in images]
    good = [data for data in decoded if not isinstance(data, InputError)]
    answers = iter(engine(np.stack(good)) if good else ())
    return [
        _failed(name, data) if isinstance(data, InputError) else _row(name, next(answers))
        for (name, _), data in zip(images, decoded, strict=True)
    ]


def _decoded(
    content: Content | NDArray[Any], name: str, spec: InputSpec
) -> NDArray[Any] | InputError:
    try:
        if isinstance(content, InputError):
            return content
        if isinstance(content, bytes):
            decode = decode_frames if spec.kind == "frames" else decode_image
            content = decode(content, name, spec)
        return _fitted(content, name, spec)
    except InputError as error:
        return error


def _fitted(image: NDArray[Any], name: str, spec: InputSpec) -> NDArray[Any]:
    """Of the bundle's size and checked, so that one image that is wrong spoils no others."""
    axes = "[T, C, H, W]" if spec.kind == "frames" else "[h, w, C]"
    if np.ndim(image) != len(axes.split()):
        raise InputError(f"{name} has shape {list(np.shape(image))}: give one {axes} in a row")
    try:
        return check_inputs(spec, fit_frame(image, spec))[0]  # type: ignore[no-any-return]
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _row(name: str, answer: ImageResult) -> Row:
    return Row(
        path=name,
        label=answer.label,
        name=answer.name,
        probability=answer.probability,
        timesteps=answer.timesteps,
        tokens=answer.average_tokens,
        energy_mj=answer.energy_mj,
        error=None,
    )


def _failed(name: str, error: InputError) -> Row:
    return Row(
        path=name, label=None, name=None, probability=None, timesteps=None, tokens=None,
        energy_mj=None, error=str(error),
    )  # fmt: skip
