from __future__ import annotations

import pickle
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.errors import ConfigError
from tests.train.samples import lively_network, random_images, same_tensors, tiny_model
from train.checkpoint import (
    Checkpoint,
    load_checkpoint,
    random_states,
    restore_random_states,
    save_checkpoint,
)
from train.errors import CheckpointError


def sample() -> Checkpoint:
    config = tiny_model(halting="block_time")
    network = lively_network(config)
    return Checkpoint(
        model=config,
        weights=dict(network.state_dict()),
        classes=tuple("abcdefghij"),
        phase="halting",
        metrics={"validation_accuracy": [0.5, 0.75]},
        run={"seed": 3},
        training={"epoch": 2, "random": [random_states()]},
    )


def test_what_is_saved_loads_back(tmp_path: Path) -> None:
    saved = sample()
    save_checkpoint(tmp_path / "deep" / "c.pt", saved)
    loaded = load_checkpoint(tmp_path / "deep" / "c.pt")
    assert (loaded.model, loaded.classes, loaded.phase) == (
        saved.model,
        tuple("abcdefghij"),
        "halting",
    )
    assert loaded.metrics == saved.metrics and loaded.run == {"seed": 3}
    assert same_tensors(loaded.weights, saved.weights)
    images = random_images(saved.model, 2)
    network = loaded.network()
    assert not network.training
    assert torch.equal(network(images).logits, saved.network()(images).logits)


def test_the_file_reads_without_running_code(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", sample())
    content = torch.load(tmp_path / "c.pt", weights_only=True)
    assert content["format"] == "spikehalt-checkpoint"


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("executed"),))


def changed(path: Path, **changes: Any) -> None:
    save_checkpoint(path, sample())
    torch.save({**torch.load(path, weights_only=True), **changes}, path)


def test_a_file_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": Malicious()}, tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match="holds foreign objects"):
        load_checkpoint(tmp_path / "c.pt")
    assert not (tmp_path / "executed").exists()


def test_a_missing_file_says_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none.pt does not exist; `python -m train run`"):
        load_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize(
    "content", [b"", b"hello", pickle.dumps({"a": 1}), b"PK\x03\x04 half a zip"]
)
def test_a_file_of_another_kind_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.pt").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"truncated or not a checkpoint|not a spikehalt"
    ) as caught:
        load_checkpoint(tmp_path / "c.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_one_sentence(tmp_path: Path, share: float) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, sample())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match="is truncated or not a checkpoint file") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_foreign_weights_point_to_the_import_command(tmp_path: Path) -> None:
    torch.save({"state_dict": {"head.weight": torch.zeros(2)}}, tmp_path / "c.pt")
    with pytest.raises(
        CheckpointError, match=r"not a spikehalt checkpoint; .*python -m train import"
    ):
        load_checkpoint(tmp_path / "c.pt")


def test_a_newer_format_asks_for_an_update(tmp_path: Path) -> None:
    changed(tmp_path / "c.pt", format_version=2)
    with pytest.raises(CheckpointError, match="format 2, this spikehalt reads up to 1; update"):
        load_checkpoint(tmp_path / "c.pt")


@pytest.mark.parametrize(
    "damage",
    [{"model": {"depht": 3}}, {"model": None}, {"classes": 3}, {"format_version": "x"}],
)
def test_damaged_content_is_a_checkpoint_error(tmp_path: Path, damage: dict[str, Any]) -> None:
    changed(tmp_path / "c.pt", **damage)
    with pytest.raises(CheckpointError, match=r"is damaged|checkpoint format"):
        load_checkpoint(tmp_path / "c.pt")


def test_weights_that_do_not_fit_the_configuration_are_refused(tmp_path: Path) -> None:
    changed(tmp_path / "c.pt", weights={"head.weight": torch.zeros(3)})
    with pytest.raises(CheckpointError, match="weights do not fit the stored model config"):
        load_checkpoint(tmp_path / "c.pt").network()


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, sample())
    before = path.read_bytes()

    def disk_full(content: Any, file: Any) -> None:
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, sample())
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["c.pt"]


KILLED = """
import os, sys
from train.checkpoint import load_checkpoint, save_checkpoint
checkpoint = load_checkpoint(sys.argv[1])
checkpoint.metrics["validation_accuracy"] = [1.0]
name = sys.argv[2]
real = getattr(os, name)
def dying(*arguments):
    if sys.argv[3] == "after":
        real(*arguments)
    os.kill(os.getpid(), 9)
setattr(os, name, dying)
save_checkpoint(sys.argv[1], checkpoint)
"""


@pytest.mark.parametrize(
    ("call", "when", "accuracy"),
    [
        ("fsync", "before", [0.5, 0.75]),
        ("replace", "before", [0.5, 0.75]),
        ("replace", "after", [1.0]),
    ],
)
def test_a_killed_writer_leaves_a_whole_checkpoint(
    tmp_path: Path, call: str, when: str, accuracy: list[float]
) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, sample())

    command = [sys.executable, "-c", KILLED, str(path), call, when]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)

    assert done.returncode == -9
    assert load_checkpoint(path).metrics["validation_accuracy"] == accuracy


def test_random_states_restore_every_generator() -> None:
    states = random_states()
    first = random.random(), np.random.rand(), torch.rand(3)
    restore_random_states(states)
    again = random.random(), np.random.rand(), torch.rand(3)
    assert first[:2] == again[:2] and torch.equal(first[2], again[2])


def test_a_checkpoint_knows_how_its_images_were_prepared(tmp_path: Path) -> None:
    how = Preprocessing(fit="crop", interpolation="bicubic", orientation="stored")
    save_checkpoint(tmp_path / "c.pt", replace(sample(), preprocessing=how))
    assert load_checkpoint(tmp_path / "c.pt").preprocessing == how


def test_older_checkpoints_were_trained_as_their_data_options_say(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", replace(sample(), run={"data": {"fit": "crop"}}))
    content = torch.load(tmp_path / "c.pt", weights_only=True)
    del content["preprocessing"]
    torch.save(content, tmp_path / "c.pt")
    assert load_checkpoint(tmp_path / "c.pt").preprocessing == Preprocessing(fit="crop")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": None}, "metrics is a NoneType, no mapping"),
        ({"run": [1]}, "run is a list, no mapping"),
        ({"classes": ["a"]}, "1 names for"),
        ({"classes": [1, 2]}, "its classes are not a list of names"),
        ({"classes": None}, "its classes are not a list of names"),
    ],
)
def test_parts_of_a_wrong_kind_are_named(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, sample())
    content = torch.load(path, weights_only=True)
    torch.save({**content, **change}, path)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["dim", "depth", "timesteps", "image_size"])
def test_sizes_that_no_memory_holds_are_refused_before_a_network_is_built(name: str) -> None:
    value = (2**20, 2**20) if name == "image_size" else 2**26
    with pytest.raises(ConfigError, match=f"{name} is .*must be in 1..16,384"):
        replace(tiny_model(), **{name: value})
