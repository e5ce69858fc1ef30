"""Two processes on the CPU (gloo) compute what one computes on the same global batch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as multiprocessing
from torch import Tensor, distributed

from tests.train.samples import lively_network, quick_run, random_images, tiny_model
from train.checkpoint import load_checkpoint
from train.config import LossConfig, ModelConfig
from train.data import Split
from train.loop.phase import steps as loop
from train.loop.phase.losses import total_loss
from train.loop.reports.log import CsvLog
from train.loop.run import run
from train.measure.evaluate import evaluate
from train.measure.exits import exit_point, record
from train.models.batchnorm import BatchNorm1d
from train.models.layers import LinearBN
from train.parallel.distributed import (
    differentiable_sum,
    gather,
    rank_and_world,
    sum_over_processes,
)

WORLD = 2


def _process(rank: int, folder: str, work: Callable[[int], Any]) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=WORLD)
    torch.save(work(rank), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def in_two_processes(work: Callable[[int], Any], folder: Path) -> list[Any]:
    """What `work(rank)` returns in each."""
    multiprocessing.set_forkserver_preload([__name__])  # imports once for both
    arguments = (str(folder), work)
    multiprocessing.start_processes(_process, arguments, WORLD, start_method="forkserver")
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD)]


CONFIG = tiny_model(halting="block_time", merge_gamma=2)


def batch(config: ModelConfig) -> tuple[Tensor, Tensor]:
    return random_images(config, 8), torch.arange(8) % config.classes


def loss_and_gradients(images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor], Any]:
    network = lively_network(CONFIG, seed=2).train()
    loss = total_loss(network(images), labels, LossConfig(anytime=0.5), 0.1)
    loss.backward()
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    return loss.detach(), gradients, network.state_dict()


def everything(rank: int) -> dict[str, Any]:
    """One process's share of all comparisons."""
    images, labels = batch(CONFIG)
    loss, gradients, state = loss_and_gradients(images[rank::WORLD], labels[rank::WORLD])
    mean = {name: sum_over_processes(g) / WORLD for name, g in gradients.items()}
    split = Split(images[:7], labels[:7])
    network = lively_network(CONFIG, seed=2)
    one_row = LinearBN(4, 3)
    few = torch.tensor([[[1.0, 0.0]]]) if rank else torch.zeros(1, 1, 2)
    return {
        "world": rank_and_world(),
        "loss": sum_over_processes(loss) / WORLD,
        "gradients": mean,
        "state": state,
        "accuracy": evaluate(network, split, batch_size=2).accuracy,
        "tokens": exit_point(record(network, split, batch_size=2), "never").average_tokens,
        "gathered": gather(rank * 10),
        "single": one_row(torch.ones(1, 1, 2, 4), few).detach(),
        "uneven": uneven_norm(rank),
    }


def uneven_norm(rank: int) -> dict[str, Tensor]:
    """Three rows here, five there, none of them equal."""
    norm, x = BatchNorm1d(3), rows()[:3] if rank == 0 else rows()[3:]
    x.requires_grad_()
    out = norm(x)
    (out * weights()[:3] if rank == 0 else out * weights()[3:]).sum().backward()
    assert x.grad is not None
    return {"out": out.detach(), "grad": x.grad, "mean": norm.running_mean, "var": norm.running_var}  # type: ignore[dict-item]


def rows() -> Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(1)) * 3 + 2


def weights() -> Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return in_two_processes(everything, tmp_path_factory.mktemp("gloo"))


def test_loss_and_gradients_are_those_of_one_process(results: list[dict[str, Any]]) -> None:
    loss, gradients, state = loss_and_gradients(*batch(CONFIG))
    for result in results:
        torch.testing.assert_close(result["loss"], loss)
        for name, gradient in gradients.items():
            torch.testing.assert_close(result["gradients"][name], gradient, rtol=1e-3, atol=1e-5)
        for name, value in state.items():
            torch.testing.assert_close(result["state"][name], value, msg=name)


def test_evaluation_counts_every_image_once(results: list[dict[str, Any]]) -> None:
    images, labels = batch(CONFIG)
    network, split = lively_network(CONFIG, seed=2), Split(images[:7], labels[:7])
    for result in results:
        assert result["accuracy"] == pytest.approx(evaluate(network, split).accuracy)
        assert result["tokens"] == pytest.approx(
            exit_point(record(network, split), "never").average_tokens
        )


def test_statistics_are_over_all_rows_however_they_are_shared(
    results: list[dict[str, Any]],
) -> None:
    norm, x = torch.nn.BatchNorm1d(3), rows().requires_grad_()
    out = norm(x)
    (out * weights()).sum().backward()
    parts = [result["uneven"] for result in results]
    torch.testing.assert_close(torch.cat([part["out"] for part in parts]), out.detach())
    torch.testing.assert_close(torch.cat([part["grad"] for part in parts]), x.grad)
    for part in parts:
        torch.testing.assert_close(part["mean"], norm.running_mean)
        torch.testing.assert_close(part["var"], norm.running_var)


def test_a_single_row_in_all_processes_takes_the_running_statistics(
    results: list[dict[str, Any]],
) -> None:
    assert all(torch.isfinite(result["single"]).all() for result in results)


def test_values_are_gathered_by_rank(results: list[dict[str, Any]]) -> None:
    assert [result["world"] for result in results] == [(0, 2), (1, 2)]
    assert all(result["gathered"] == [0, 10] for result in results)


def test_with_one_process_everything_is_the_identity() -> None:
    x = torch.ones(3, requires_grad=True)
    assert rank_and_world() == (0, 1) and gather("x") == ["x"]
    assert sum_over_processes(x) is x and differentiable_sum(x) is x


def test_torchrun_resumes_with_two_processes_what_one_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped within the second epoch; epochs go on with losses like those of an unbroken run."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(quick_run(whole, static={"epochs": 2}))
    taken = 0
    step = loop.train_step

    def counted(phase: Any, batch: Split) -> Tensor:
        nonlocal taken
        taken += 1
        phase.interrupt.requested = taken == 30
        return step(phase, batch)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "train_step", counted)
        with pytest.raises(KeyboardInterrupt):
            run(quick_run(broken, static={"epochs": 2}))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONWARNINGS", None)
    done = subprocess.run(
        [*launcher, "-m", "train", "resume", str(broken / "last.pt")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    ours, theirs = (CsvLog(folder / "log.csv", keep=True).rows() for folder in (broken, whole))
    assert [(r["phase"], r["epoch"]) for r in ours] == [(r["phase"], r["epoch"]) for r in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert float(mine["loss"]) == pytest.approx(float(other["loss"]), rel=0.05)
    last = load_checkpoint(broken / "last.pt").training
    assert last is not None and len(last["random"]) == 2
    assert sorted(file.name for file in broken.iterdir()) == [
        "halting.pt", "last.pt", "log.csv", "static.pt",
    ]  # fmt: skip


def test_processes_of_one_machine_say_everything_once(tmp_path: Path) -> None:
    line = (
        "run digits --devices 2 --accelerator cpu --precision fp32 --batch-size 64 --model.depth 2 "
        "--model.dim 16 --model.heads 2 --model.timesteps 2 --static.epochs 1 --halting.epochs 0"
    )
    done = subprocess.run(
        [sys.executable, "-m", "train", *line.split(), "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("static: validation accuracy") == 1
    assert done.stderr.count("export it with") == done.stderr.count("static 1/1") == 1
