from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.samples import quick_run
from train import devices
from train.devices import best_device, fabric_accelerator, launch
from train.errors import ConfigError


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
