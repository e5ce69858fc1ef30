"""Answers for `map_batches` of Ray Data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bulk.answer import answer_images
from runtime.bulk.rows import Row
from runtime.engine import Engine
from runtime.errors import InputError
from spikehalt.strict import unknown_name

# As Ray's readers call them: read_binary_files, read_images, read_webdataset.
_IMAGES = ("bytes", "image", "jpg", "jpeg", "png", "webp", "npz", "frames")
_NAMES = ("path", "__key__")
_ANSWER = ("label", "name", "probability", "timesteps", "tokens", "energy_mj", "error")
Batch = dict[str, NDArray[Any]]


class Predictor:
    """Classifies the images of batches; an actor of Ray Data holds one.

        images = ray.data.read_binary_files("s3://bucket/photos/", include_paths=True)
        answers = images.map_batches(
            Predictor, fn_constructor_args=["/bundles/toy.bundle"], batch_size=64, concurrency=4
        )

    The column of the images, bytes of files or pixels uint8 [h, w, C], gives way to `label`,
    `name`, `probability`, `timesteps`, `tokens`, `energy_mj` and `error`: images that cannot be
    read say why there, and have NaN and -1 elsewhere.

    Args:
        bundle: where every node finds it.
        column: of the images; None: the first of those that Ray's readers make.
        **engine: further arguments of `runtime.Engine`.

    Raises:
        SpikehaltError: as `Engine`.
    """

    def __init__(self, bundle: str | Path, column: str | None = None, **engine: Any) -> None:
        self._column = column
        self._engine = Engine(bundle, **{"threads": 1, **engine})

    def __call__(self, batch: Batch) -> Batch:
        """A batch with answers in place of images.

        Raises:
            InputError: it has no column of images.
        """
        column = self._find(batch)
        contents = [bytes(each) if isinstance(each, bytes) else each for each in batch[column]]
        names = _names(batch, len(contents))
        images = list(zip(names, map(_content, contents), strict=True))
        rows = answer_images(self._engine, self._engine.manifest.input, images)
        kept = {name: values for name, values in batch.items() if name != column}
        return {**kept, **_columns(rows)}

    def _find(self, batch: Batch) -> str:
        wanted = _IMAGES if self._column is None else (self._column,)
        found = next((name for name in wanted if name in batch), None)
        if found is None:
            raise InputError(unknown_name("column of images", self._column or "bytes", batch))
        return found


def _content(value: Any) -> Any:
    """An image, or why a value is none."""
    if isinstance(value, bytes | np.ndarray):
        return value
    return InputError(f"it is {type(value).__name__}, not the bytes or pixels of an image")


def _names(batch: Batch, count: int) -> Iterator[str]:
    column = next((name for name in _NAMES if name in batch), None)
    return map(str, range(count) if column is None else batch[column])


def _columns(rows: list[Row]) -> Batch:
    """Rows as columns whose types are the same in every batch."""
    missing = {"label": -1, "timesteps": -1, "name": "", "error": ""}
    columns = {}
    for key in _ANSWER:
        values = [row[key] for row in rows]  # type: ignore[literal-required]
        filled = [missing.get(key, np.nan) if value is None else value for value in values]
        columns[key] = np.array(filled)
    return columns
