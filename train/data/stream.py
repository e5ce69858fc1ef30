"""Data sets that do not fit into memory: workers read and decode files while training goes on."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from train.config import DataConfig, ModelConfig
from train.data.base import Split
from train.data.files import Reader
from train.errors import DataError

Decode = Callable[[bytes, str, DataConfig, ModelConfig], np.ndarray]


@dataclass(frozen=True)
class StreamSplit:
    """Labelled files; a batch is read when it is asked for.

    Attributes:
        path: the folder or zip.
        names: files inside it.
        labels: class numbers int64 [N].
        decode: bytes of a file to an array.
        data: how images are fitted, how many workers read.
        model: size, channels and timesteps.
        device: where batches are delivered; None leaves them on the CPU.
    """

    path: str
    names: list[str]
    labels: Tensor
    decode: Decode
    data: DataConfig
    model: ModelConfig
    device: torch.device | None = None

    def __len__(self) -> int:
        return len(self.names)

    def take(self, index: Tensor) -> StreamSplit:
        """The files at `index`."""
        rows = index.cpu()
        names = [self.names[row] for row in rows.tolist()]
        return replace(self, names=names, labels=self.labels[rows])

    def to(self, device: torch.device) -> StreamSplit:
        """The same files, delivered on another device."""
        return replace(self, device=device)

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Split]:
        """The images at each of `rows`, read ahead by the workers."""
        loader = DataLoader(
            _Files(self),
            batch_sampler=[row.tolist() for row in rows],
            num_workers=self.data.workers,
            collate_fn=_batch,
            pin_memory=self.device is not None and self.device.type == "cuda",
            multiprocessing_context=_workers_context() if self.data.workers else None,
            # Workers draw their seeds from here, not from the generator that training resumes.
            generator=torch.Generator(),
        )
        for batch in loader:
            if isinstance(batch, DataError):  # a worker's, told as if it had happened here
                raise batch
            images, labels = batch
            yield Split(
                images.to(self.device, non_blocking=True),
                labels.to(self.device, non_blocking=True),
            )


def _batch(items: list[Any]) -> Any:
    """A batch's images and labels, or the first reason why one cannot be read."""
    failed = [item for item in items if isinstance(item, DataError)]
    return failed[0] if failed else default_collate(items)


class _Files(Dataset[Any]):
    """Single files, read in the workers."""

    def __init__(self, split: StreamSplit) -> None:
        self.split = split
        self.reader = Reader(split.path)

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, row: int) -> tuple[Tensor, int] | DataError:
        """A file as array and label, or why it cannot be: workers add to what is raised."""
        split = self.split
        name = split.names[row]
        try:
            array = split.decode(self.reader.read(name), name, split.data, split.model)
        except DataError as error:
            return error
        return torch.from_numpy(np.array(array)), int(split.labels[row])


def _workers_context() -> BaseContext:
    """Workers are not forked from the training process, whose threads may hold locks just then.

    They are forked from a server that has imported what they need, so that an epoch starts quickly.
    """
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload([__name__])
    return context
