from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.train.test_checkpoint import sample
from train.checkpoint import load_checkpoint, save_checkpoint
from train.errors import CheckpointError
from train.importing.reader import read_tensors


def members(path: Path) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(path) as archive:
        return archive.infolist()


def flip(path: Path, member: zipfile.ZipInfo) -> None:
    """Change one bit of a member's contents."""
    content = bytearray(path.read_bytes())
    start = member.header_offset + 30
    start += sum(content[member.header_offset + at] | content[member.header_offset + at + 1] << 8
                 for at in (26, 28))  # fmt: skip
    content[start + member.file_size // 2] ^= 0x40
    path.write_bytes(content)


def test_a_flipped_bit_in_any_part_of_a_checkpoint_is_found(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, sample())
    whole = path.read_bytes()
    parts = [each for each in members(path) if each.file_size]
    assert len(parts) > 10
    for part in parts:
        path.write_bytes(whole)
        flip(path, part)
        with pytest.raises(CheckpointError, match=r"c\.pt was damaged after it was written"):
            load_checkpoint(path)


def test_a_change_that_the_zips_checksums_do_not_cover_is_found(tmp_path: Path) -> None:
    """An attribute in the zip's table lets PyTorch's reader skip a member without a word."""
    path = tmp_path / "c.pt"
    save_checkpoint(path, sample())
    content = bytearray(path.read_bytes())
    start = content.rindex(b"PK\x01\x02", 0, content.rindex(b"/data/5"))
    content[start + 38] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="was damaged"):
        load_checkpoint(path)


def test_every_bit_of_the_zips_table_counts(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, sample())
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
    for place in range(start, len(whole), 37):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(CheckpointError):
            load_checkpoint(path)


def test_files_without_a_digest_are_checked_by_the_zips_checksums(tmp_path: Path) -> None:
    path = tmp_path / "theirs.pt"
    torch.save({"w": torch.ones(1000)}, path)
    assert read_tensors(path)["w"].sum() == 1000
    flip(path, next(each for each in members(path) if "/data/" in each.filename))
    with pytest.raises(CheckpointError, match=r"theirs\.pt was damaged"):
        read_tensors(path)


CHANGES: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "holds NaN or infinity": ("blocks.0.mlp.fc1.linear.weight", lambda t: t * float("nan")),
    "holds a negative variance": ("blocks.0.mlp.fc1.bn.running_var", lambda t: t - 100),
    "is complex64, not float32": ("stem.convs.0.conv.weight", lambda t: t.to(torch.complex64)),
    "is int8, not float32": ("head.weight", lambda t: t.to(torch.int8)),
    "is float64, not float32": ("head.bias", lambda t: t.double()),
    "is float32, not int64": (
        "blocks.0.mlp.fc1.bn.num_batches_tracked",
        lambda t: t.to(torch.float32),
    ),
    "is sparse_coo float32, not float32": ("head.weight", lambda t: t.to_sparse()),
}


@pytest.mark.parametrize("problem", CHANGES)
def test_weights_that_no_network_has_are_refused_by_name(problem: str, tmp_path: Path) -> None:
    name, change = CHANGES[problem]
    checkpoint = sample()
    checkpoint.weights[name] = change(checkpoint.weights[name])
    save_checkpoint(tmp_path / "c.pt", checkpoint)
    with pytest.raises(
        CheckpointError, match=f"c.pt cannot be used: the tensor '{name}' {problem}"
    ):
        load_checkpoint(tmp_path / "c.pt")
