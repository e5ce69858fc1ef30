"""Integrity of checkpoints: a digest of the file, and checks that its weights are valid.

A checkpoint is a zip. Its digest is the zip's comment, over every byte before it.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from train.errors import CheckpointError

_DIGITS = 64  # of a sha256
_LENGTH = _DIGITS.to_bytes(2, "little")  # of the comment, the last field before it
_DIRECTORY = 0x10  # an attribute that makes PyTorch's reader skip a member's contents


def sealed(content: bytes) -> bytes:
    """A file that `torch.save` wrote, with its digest."""
    body = content[: -len(_LENGTH)]  # the zip has no comment yet
    return body + _LENGTH + hashlib.sha256(body).hexdigest().encode()


def check_digest(path: Path) -> None:
    """Refuse a checkpoint that was damaged after it was written.

    Files from before there were digests are checked by the CRC of their members.

    Raises:
        CheckpointError: it was.
        zipfile.BadZipFile, OSError: it is a zip, but none of PyTorch's, or cannot be read.
    """
    if not zipfile.is_zipfile(path):
        return  # PyTorch says what it is
    with zipfile.ZipFile(path) as archive:
        whole = _has_its_digest(path) if archive.comment else _is_whole(archive)
    if not whole:
        raise CheckpointError(
            f"{path} was damaged after it was written: its checksum does not match; copy it again, "
            "or take an older checkpoint"
        )


def _has_its_digest(path: Path) -> bool:
    content = path.read_bytes()
    body, end = content[: -_DIGITS - len(_LENGTH)], content[-_DIGITS - len(_LENGTH) :]
    return end == _LENGTH + hashlib.sha256(body).hexdigest().encode()


def _is_whole(archive: zipfile.ZipFile) -> bool:
    members = archive.infolist()
    if any(each.compress_type != zipfile.ZIP_STORED for each in members):
        raise zipfile.BadZipFile("PyTorch compresses nothing")
    if any(each.external_attr & _DIRECTORY for each in members):
        return False
    try:
        return archive.testzip() is None
    except zipfile.BadZipFile:
        return False


def check_weights(weights: object, where: str | Path) -> dict[str, Tensor]:
    """Return the weights once checked: real, finite, variances not negative.

    Args:
        weights: tensors by name: float32, and int64 for what is counted.
        where: what to call the file in messages.

    Raises:
        CheckpointError: one is not; the message names it.
    """
    if not isinstance(weights, Mapping):
        raise CheckpointError(f"{where} is damaged: its weights are not a table of tensors")
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
