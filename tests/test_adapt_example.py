"""The worked example of docs/adapt.md, run as printed: a published file to answers with halting."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch
from torch import Tensor

from runtime import Bundle
from spikehalt.__main__ import main
from tests.train.samples import lively_network, random_images, write_image
from train.checkpoint import load_checkpoint
from train.config import ModelConfig, StemConfig
from train.importing.formats import FORMATS
from train.models import SpikingTransformer

PAGE = (Path(__file__).parents[1] / "docs" / "adapt.md").read_text(encoding="utf-8")
# The published CIFAR form at an eighth of its width.
SMALL = ModelConfig(
    arch="maxformer", depth=2, dim=48, heads=8, stem=StemConfig("sps", form="cifar"),
    head_lif=True, mlp_ratio=4.0,
)  # fmt: skip


def published(network: SpikingTransformer) -> dict[str, Tensor]:
    """Weights under the names, and in the shapes, of bic-L/MaxFormer."""
    (form,) = (each for each in FORMATS if each.name == "maxformer-cifar")
    ours, theirs = network.state_dict(), {}
    for layer in form.layers(network.config.depth):
        kind = "conv" if f"{layer.ours}.conv.weight" in ours else "linear"
        parts = len(layer.parts)
        weights = ours[f"{layer.ours}.{kind}.weight"].chunk(parts)
        for number, (weight, bn) in enumerate(layer.parts):
            given = weights[number]
            theirs[f"{weight}.weight"] = given if given.ndim > 2 else given[..., None]
            for name in ("weight", "bias", "running_mean", "running_var"):
                theirs[f"{bn}.{name}"] = ours[f"{layer.ours}.bn.{name}"].chunk(parts)[number]
    return theirs | {name: ours[name] for name in ("head.weight", "head.bias")}


def test_the_example_runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = lively_network(SMALL)
    torch.save({"model": published(network)}, tmp_path / "maxformer.pth")
    for number, image in enumerate(random_images(SMALL, 6)):
        write_image(tmp_path / "photos" / f"{number}.png", image.permute(1, 2, 0).numpy())
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```sh\n(spikehalt import .*?)```", PAGE, re.DOTALL)
    for line in example.splitlines():
        words = shlex.split(line, comments=True)[1:]
        # Heads are known of the published widths alone.
        words += ["--heads", "8"] if words[0] == "import" else []
        assert main(words) == 0, line
    said = capsys.readouterr().out
    assert "× tokens on these images" in said and all(f"{n}.png" in said for n in range(6))
    static, adapted = (load_checkpoint(f"maxformer{end}.pt") for end in ("", ".adapted"))
    assert all(torch.equal(adapted.weights[name], static.weights[name]) for name in static.weights)
    manifest = Bundle.open("maxformer.adapted.bundle").manifest
    assert manifest.halting.mode == "block_time" and manifest.halting.epsilon == 0.9
    assert manifest.origin is not None
