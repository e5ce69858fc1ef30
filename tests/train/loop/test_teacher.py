from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from spikehalt.errors import ConfigError
from tests.train.samples import lively_network, quick_run, random_images, tiny_model
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.config import LossConfig, ModelConfig
from train.errors import CheckpointError
from train.loop.run import resume, run
from train.loop.teacher import load_teacher

CLASSES = tuple("0123456789")
CPU = torch.device("cpu")


class Linear(nn.Module):
    """Any network that is not ours."""

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(random_images(config, 1).numel(), classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layer(images.flatten(1) / 255)
        return logits


def program(
    path: Path,
    config: ModelConfig,
    *,
    classes: int = 10,
    batches: bool = True,
    most: int | None = None,
    bias: float = 0.0,
) -> Linear:
    network = Linear(config, classes).eval()
    nn.init.constant_(network.layer.bias, bias)
    example = random_images(config, 2).float()
    shapes = ({0: torch.export.Dim("batch", min=1, max=most)},) if batches else None
    torch.export.save(torch.export.export(network, (example,), dynamic_shapes=shapes), path)
    return network


def checkpoint(path: Path, config: ModelConfig, classes: tuple[str, ...] = CLASSES) -> nn.Module:
    network = lively_network(config)
    save_checkpoint(path, Checkpoint(config, network.state_dict(), classes, "static"))
    return network


def test_no_path_is_no_teacher() -> None:
    assert load_teacher("", tiny_model(), CLASSES, CPU, 5) is None


def test_a_checkpoint_answers_with_its_last_logits(tmp_path: Path) -> None:
    config = tiny_model()
    network = checkpoint(tmp_path / "t.pt", config)
    images = random_images(config, 5)
    teacher = load_teacher(str(tmp_path / "t.pt"), config, CLASSES, CPU, 5)
    assert teacher is not None
    torch.testing.assert_close(teacher(images), network(images).logits[-1])


@pytest.mark.parametrize("kind", ["image", "frames"])
def test_a_program_of_any_network_answers(tmp_path: Path, kind: str) -> None:
    config = tiny_model() if kind == "image" else tiny_model(input="frames", stem="sps", channels=2)
    network = program(tmp_path / "t.pt2", config)
    images = random_images(config, 5).float()
    teacher = load_teacher(str(tmp_path / "t.pt2"), config, CLASSES, CPU, 5)
    assert teacher is not None
    torch.testing.assert_close(teacher(images), network(images))


def test_a_teacher_of_other_classes_is_refused(tmp_path: Path) -> None:
    config = tiny_model()
    checkpoint(tmp_path / "t.pt", config, tuple(reversed(CLASSES)))
    with pytest.raises(ConfigError, match="'9' in place of '0' as number 1"):
        load_teacher(str(tmp_path / "t.pt"), config, CLASSES, CPU, 5)


def test_a_checkpoint_for_other_images_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path / "t.pt", tiny_model(image_size=(16, 16)))
    with pytest.raises(ConfigError, match=r"16, 16.*8, 8.*must be equal"):
        load_teacher(str(tmp_path / "t.pt"), tiny_model(), CLASSES, CPU, 5)


def test_a_program_with_other_classes_is_refused(tmp_path: Path) -> None:
    program(tmp_path / "t.pt2", tiny_model(), classes=7)
    with pytest.raises(ConfigError, match=r"with \[5, 7\], not with logits \[5, 10\]"):
        load_teacher(str(tmp_path / "t.pt2"), tiny_model(), CLASSES, CPU, 5)


def test_a_program_of_one_batch_size_is_refused(tmp_path: Path) -> None:
    program(tmp_path / "t.pt2", tiny_model(), batches=False)
    with pytest.raises(ConfigError, match="export it with a dynamic batch"):
        load_teacher(str(tmp_path / "t.pt2"), tiny_model(), CLASSES, CPU, 5)


def test_a_program_of_smaller_batches_is_refused(tmp_path: Path) -> None:
    program(tmp_path / "t.pt2", tiny_model(), most=4)
    assert load_teacher(str(tmp_path / "t.pt2"), tiny_model(), CLASSES, CPU, 4) is not None
    with pytest.raises(ConfigError, match=r"does not take images \[5, 1, 8, 8\]"):
        load_teacher(str(tmp_path / "t.pt2"), tiny_model(), CLASSES, CPU, 5)


def test_a_program_that_answers_no_numbers_is_refused(tmp_path: Path) -> None:
    program(tmp_path / "t.pt2", tiny_model(), bias=float("nan"))
    with pytest.raises(ConfigError, match="with what is no number"):
        load_teacher(str(tmp_path / "t.pt2"), tiny_model(), CLASSES, CPU, 5)


def test_a_teacher_of_frames_sees_as_many_as_the_student(tmp_path: Path) -> None:
    config = tiny_model(input="frames", stem="sps", channels=2)
    checkpoint(tmp_path / "t.pt", replace(config, timesteps=4))
    with pytest.raises(ConfigError, match=r"'timesteps': 4.*'timesteps': 3"):
        load_teacher(str(tmp_path / "t.pt"), config, CLASSES, CPU, 5)


def test_a_file_that_is_no_program_is_refused_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "t.pt2").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"t\.pt2 is no program of torch\.export: [^\n]+$"):
        load_teacher(str(tmp_path / "t.pt2"), tiny_model(), CLASSES, CPU, 5)
    assert not caplog.records


@pytest.mark.parametrize(("name", "error"), [("t.pt2", ConfigError), ("t.pt", CheckpointError)])
def test_a_missing_teacher_is_named(tmp_path: Path, name: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=rf"{name} does not exist"):
        load_teacher(str(tmp_path / name), tiny_model(), CLASSES, CPU, 5)


def test_a_run_comes_nearer_to_its_teacher(tmp_path: Path) -> None:
    """Also where it learns on smaller images: the teacher sees the model's own size."""
    config = quick_run(tmp_path / "runs").model
    taught_by = program(tmp_path / "t.pt2", config)
    images = random_images(config, 64).float()
    wanted = taught_by(images).softmax(-1)
    loss = {"teacher": str(tmp_path / "t.pt2"), "teacher_weight": 1.0, "teacher_temperature": 1.0}
    static = {"epochs": 2, "image_sizes": [12]}
    changes = {"static": static, "halting": {"epochs": 0}, "loss": loss}
    result = run(quick_run(tmp_path / "runs", **changes))
    network = load_checkpoint(result.checkpoints["static"]).network()
    answers = network(images).logits[-1].softmax(-1)
    plain = lively_network(config)(images).logits[-1].softmax(-1)
    assert (answers - wanted).abs().mean() < 0.5 * (plain - wanted).abs().mean()


def test_a_resumed_run_needs_its_teacher_or_another(tmp_path: Path) -> None:
    config = quick_run(tmp_path / "runs").model
    program(tmp_path / "t.pt2", config)
    loss = {"teacher": str(tmp_path / "t.pt2")}
    run(quick_run(tmp_path / "runs", halting={"epochs": 0}, loss=loss))
    (tmp_path / "t.pt2").unlink()
    with pytest.raises(ConfigError, match=r"loss\.teacher .* does not exist"):
        resume(tmp_path / "runs/last.pt")
    resume(tmp_path / "runs/last.pt", lambda now, _: replace(now, loss=LossConfig()))
