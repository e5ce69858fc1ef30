"""Data sets that do not fit into memory: workers read and decode files while training goes on."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from spikehalt.console import note
from train.config import DataConfig, ModelConfig
from train.data.base import Split
from train.data.files import Reader
from train.data.unreadable import LeftOut
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
        left_out: files that could not be read, in whose place the next ones come.
    """

    path: str
    names: list[str]
    labels: Tensor
    decode: Decode
    data: DataConfig
    model: ModelConfig
    device: torch.device | None = None
    left_out: LeftOut = field(init=False)

    def __post_init__(self) -> None:
        left_out = LeftOut(self.path, self.data.skip_unreadable, len(self.names))
        object.__setattr__(self, "left_out", left_out)

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
        for batch in _told(loader, self.path):
            if isinstance(batch, DataError):  # a worker's, told as if it had happened here
                raise batch
            images, labels, unread = batch
            for name, problem in unread:
                if self.left_out.add(name, problem):
                    note(f"{problem}; the next file takes its place")
            yield Split(
                images.to(self.device, non_blocking=True),
                labels.to(self.device, non_blocking=True),
            )


def _told(loader: DataLoader[Any], path: str) -> Iterator[Any]:
    """The loader's batches; a worker's failure becomes one sentence.

    PyTorch raises a RuntimeError where a worker was killed or found no shared memory, and puts the
    traceback of an error in a worker into the message.
    """
    try:
        batches = iter(loader)
        while True:
            yield next(batches)
    except StopIteration:
        return
    except (RuntimeError, OSError, MemoryError) as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        raise DataError(
            f"{path}: a process that reads images failed ({lines[-1] if lines else error!r}); "
            "data.workers=0 reads without processes, and fewer workers need less memory"
        ) from error


def _batch(items: list[Any]) -> Any:
    """A batch's images, labels and unreadable files, or the reason why there is none."""
    failed = [item for item in items if isinstance(item, DataError)]
    if failed:
        return failed[0]
    images, labels, unread = zip(*items, strict=True)
    return (
        default_collate(list(images)),
        torch.tensor(labels),
        [each for item in unread for each in item],
    )


class _Files(Dataset[Any]):
    """Single files, read in the workers."""

    def __init__(self, split: StreamSplit) -> None:
        self.split = split
        self.reader = Reader(split.path)

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, row: int) -> tuple[Tensor, int, list[tuple[str, DataError]]] | DataError:
        """A file as array and label, and the unreadable ones passed over; or why none can be read.

        Errors are returned, since workers add their traceback to what is raised.
        """
        split = self.split
        unread: list[tuple[str, DataError]] = []
        for index in range(row, row + 1 + split.left_out.most):
            name = split.names[index % len(split)]
            try:
                array = split.decode(self.reader.read(name), name, split.data, split.model)
            except DataError as problem:
                unread.append((name, problem))
            else:
                label = int(split.labels[index % len(split)])
                return torch.from_numpy(np.array(array)), label, unread
        return unread[-1][1]


def _workers_context() -> BaseContext:
    """Workers are not forked from the training process, whose threads may hold locks.

    They are forked from a server that has imported what they need, so that an epoch starts quickly.
    """
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload([__name__])
    return context
