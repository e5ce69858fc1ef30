"""Whether a checkpoint is what was written: a digest of its file, and weights that can be ones.

A checkpoint is a zip. The digest is a member of it, over the names and contents of the others.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from train.errors import CheckpointError

_DIGEST = "sha256"  # the member's name, below the folder that PyTorch names


def sealed(content: bytes) -> bytes:
    """A file that `torch.save` wrote, with its digest."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        folder = archive.namelist()[0].partition("/")[0]
        archive.writestr(f"{folder}/{_DIGEST}", _digest(archive))
    return file.getvalue()


def check_digest(path: Path) -> None:
    """Refuse a checkpoint that was damaged after it was written.

    Files from before there were digests are checked by the CRC of their members.

    Raises:
        CheckpointError: it was.
        zipfile.BadZipFile, OSError: it is no zip of PyTorch's, or cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
            raise zipfile.BadZipFile("PyTorch compresses nothing")
        stored = [name for name in archive.namelist() if name.partition("/")[2] == _DIGEST]
        try:  # reading a member checks its CRC
            whole = all(archive.read(name).decode() == _digest(archive) for name in stored)
            damaged = None if stored else archive.testzip()
        except (zipfile.BadZipFile, UnicodeDecodeError):
            whole, damaged = False, None
    if damaged is not None or not whole:
        raise CheckpointError(
            f"{path} was damaged after it was written: its checksum is another; copy it again, or "
            "take an older checkpoint"
        )


def _digest(archive: zipfile.ZipFile) -> str:
    """Sha256 over names and contents of every member but the digest itself."""
    digest = hashlib.sha256()
    for name in sorted(archive.namelist()):
        if name.partition("/")[2] != _DIGEST:
            content = archive.read(name)
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def check_weights(weights: object, where: str | Path) -> dict[str, Tensor]:
    """Weights that a network can have: real, finite, variances not negative.

    Args:
        weights: tensors by name: float32, and int64 for what is counted.
        where: what to call the file in messages.

    Raises:
        CheckpointError: one is not; the message names it.
    """
    if not isinstance(weights, Mapping):
        raise CheckpointError(f"{where} is damaged: its weights are no table of tensors")
    for name, tensor in weights.items():
        problem = problem_of(name, tensor)
        if problem:
            raise CheckpointError(f"{where} cannot be used: the tensor {name!r} {problem}")
    return dict(weights)


def problem_of(
    name: object, tensor: object, kinds: tuple[torch.dtype, ...] = (torch.float32,)
) -> str:
    """What is wrong with a weight, in words that follow its name; empty if nothing is.

    Args:
        name: of the tensor, which says what it holds.
        tensor: the weight.
        kinds: dtypes that it may have; what is counted is an integer.
    """
    if not isinstance(name, str) or not isinstance(tensor, Tensor):
        return "is not a named tensor"
    if name.endswith("num_batches_tracked"):
        return "" if tensor.dtype == torch.int64 else f"is {_short(tensor)}, not int64"
    if tensor.layout != torch.strided or tensor.dtype not in kinds:
        return f"is {_short(tensor)}, not {' or '.join(map(_name, kinds))}"
    if not bool(tensor.isfinite().all()):
        return "holds NaN or infinity"
    if name.endswith("running_var") and bool((tensor < 0).any()):
        return "holds a negative variance"
    return ""


def _short(tensor: Tensor) -> str:
    dense = "" if tensor.layout == torch.strided else f"{tensor.layout} ".removeprefix("torch.")
    return f"{dense}{_name(tensor.dtype)}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
