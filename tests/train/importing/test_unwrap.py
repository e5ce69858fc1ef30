"""A network is found behind whatever wrapped it while it was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.train.importing.foreign import REPOSITORIES
from tests.train.importing.test_convert import foreign_weights, model
from train.errors import CheckpointError
from train.importing import import_checkpoint
from train.importing.unwrap import unwrapped

REPOSITORY = REPOSITORIES[0]
PREFIXES = (
    "", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "net.",
    "model._orig_mod.", "model.module.", "encoder.backbone.", "_fsdp_wrapped_module.", "student.",
)  # fmt: skip


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return dict(foreign_weights(REPOSITORY))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_any_prefix_goes(prefix: str, weights: dict[str, Tensor]) -> None:
    assert unwrapped({prefix + key: value for key, value in weights.items()}).keys() == (
        weights.keys()
    )


def test_parts_that_were_compiled_go_by_their_own_names(weights: dict[str, Tensor]) -> None:
    compiled = {key.replace("block.0.", "block.0._orig_mod."): weights[key] for key in weights}

    assert compiled.keys() != weights.keys() == unwrapped(compiled).keys()


def test_an_averaged_model_with_numpys_numbers_is_imported(
    weights: dict[str, Tensor], tmp_path: Path
) -> None:
    averaged = {"n_averaged": torch.tensor(7), **{f"module.{k}": v for k, v in weights.items()}}
    metadata = {"best": np.float64(91.2), "epoch": np.int64(3), "done": np.bool_(True)}
    torch.save({"model_ema": averaged, **metadata}, tmp_path / "w.pth")

    found = import_checkpoint(tmp_path / "w.pth", model(REPOSITORY.arch))
    assert found.metrics["imported_from"] == "spikformer"


def test_two_networks_and_tensors_beside_one_are_named(weights: dict[str, Tensor]) -> None:
    student = {f"student.{key}": value for key, value in weights.items()}
    teacher = {f"teacher.{key}": value for key, value in weights.items()}

    with pytest.raises(CheckpointError, match=r"several networks.*'student\.', 'teacher\.'"):
        unwrapped(student | teacher)
    with pytest.raises(CheckpointError, match=r"beside the network 'student\.'.* criterion\.w"):
        unwrapped(student | {"criterion.w": torch.zeros(1)})


def test_code_in_the_metadata_is_still_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "module": nn.Linear(1, 1)}, tmp_path / "w.pth")

    with pytest.raises(CheckpointError, match="could run code"):
        import_checkpoint(tmp_path / "w.pth", model("spikformer"))
