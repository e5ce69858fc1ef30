from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from spikehalt.errors import ConfigError
from tests.train.samples import lively_network, quick_run, tiny_model
from train.data import Split
from train.measure.evaluate import evaluate
from train.measure.exits import record
from train.measure.firing_rates import measure_firing_rates
from train.parallel import devices
from train.parallel.devices import best_device, fabric_accelerator, launch


@pytest.mark.parametrize(("cuda", "chosen"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_the_device_that_evaluation_takes_also_where_there_is_mps(
    cuda: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert fabric_accelerator("auto") == best_device().type == chosen
    assert fabric_accelerator("cpu") == "cpu"


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert fabric_accelerator("gpu") == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="finds no CUDA GPU; take 'auto' or 'cpu'"):
        fabric_accelerator("gpu")


def test_a_run_is_launched_on_that_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    class Recorder:
        def __init__(self, **options: Any) -> None:
            asked.update(options)

        def launch(self) -> None:
            pass

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(devices, "Fabric", Recorder)
    launch(quick_run(Path("x"), accelerator="auto"))
    assert asked["accelerator"] == "cpu"


@pytest.mark.parametrize("measure", [evaluate, record, measure_firing_rates])
def test_what_is_measured_in_float32_is_not_rounded_to_tf32(
    monkeypatch: pytest.MonkeyPatch, measure: Callable[..., object]
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    network = lively_network(tiny_model())
    seen: list[bool] = []
    network.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    images = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    measure(network, Split(images, torch.zeros(4, dtype=torch.int64)))
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32
