"""From checkpoint to bundle: what is written, atomically, and what is refused."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from export.bundle.weights import load_graph
from export.bundle.write import check_model, export_bundle
from export.errors import ExportError, UnsupportedError
from export.options import ExportOptions
from export.to_trt import main
from runtime import Engine
from runtime.bundle import HaltingSpec, update_manifest
from runtime.bundle.read import Bundle
from runtime.errors import BundleFormatError
from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.vocabulary import Layout
from tests.export.dyadic import dyadic_config, dyadic_network
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.data import Split
from train.errors import CheckpointError
from train.measure.energy import measure_firing_rates


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dyadic network with halting, as a finished checkpoint with measured firing rates."""
    import torch

    network = dyadic_network(dyadic_config("spikformer", "isps", "block_time", 3))
    images = torch.randint(0, 256, (8, 3, 8, 8), dtype=torch.uint8)
    rates = measure_firing_rates(network, Split(images, torch.zeros(8, dtype=torch.long)))
    path = tmp_path_factory.mktemp("ckpt") / "net.pt"
    save_checkpoint(
        path,
        Checkpoint(
            model=network.config,
            weights=network.state_dict(),
            classes=("a", "b", "c", "d", "e"),
            phase="halting",
            metrics={"firing_rates": rates},
        ),
    )
    return path


def test_bundle_lies_beside_the_checkpoint_and_says_what_it_is(checkpoint: Path) -> None:
    manifest = export_bundle(checkpoint).manifest
    assert Bundle.open(checkpoint.with_suffix(".bundle")).manifest == manifest
    assert (manifest.name, manifest.timesteps, manifest.chunk) == ("spikformer-3-16", 4, 1)
    assert (manifest.layout, manifest.precision) == ("dense", "fp32")
    assert (manifest.tokens, manifest.tokens_per_block) == (64, (61, 58, 55))
    assert manifest.classes == ("a", "b", "c", "d", "e")
    assert (manifest.halting.mode, manifest.halting.epsilon) == ("block_time", 0.01)
    assert set(manifest.files) == {"first.onnx", "next.onnx", "weights.bin"}
    assert manifest.exit.default == "never"


def test_energy_comes_from_the_checkpoints_firing_rates(checkpoint: Path, tmp_path: Path) -> None:
    energy = export_bundle(checkpoint, tmp_path / "b.bundle").manifest.energy
    assert energy is not None
    assert len(energy.per_token_mj) == 3 and min(energy.per_token_mj) > 0 and energy.once_mj > 0


def test_options_reach_the_graphs(checkpoint: Path, tmp_path: Path) -> None:
    options = ExportOptions(chunk=4, layout="dense", merge_gamma=25, live_masks=True)
    bundle = export_bundle(checkpoint, tmp_path / "b.bundle", options)
    model = load_graph(bundle, "first.onnx")
    outputs = {value.name for value in model.graph.output}
    assert {"live.block1", "live.block3"} <= outputs
    assert not any(node.op_type == "TokenPack" for node in model.graph.node)
    assert bundle.manifest.tokens_per_block == (39, 20, 10)
    assert set(bundle.manifest.files) == {"first.onnx"}


def test_exporting_twice_gives_the_same_bytes(checkpoint: Path, tmp_path: Path) -> None:
    first = export_bundle(checkpoint, tmp_path / "a.bundle")
    again = export_bundle(checkpoint, tmp_path / "b.bundle")
    assert first.fingerprint == again.fingerprint


def test_a_failed_export_leaves_the_old_bundle(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.bundle"
    before = export_bundle(checkpoint, target).fingerprint
    with pytest.raises(UnsupportedError):
        export_bundle(checkpoint, target, ExportOptions(chunk=3))
    assert Bundle.open(target).fingerprint == before
    assert [path.name for path in tmp_path.iterdir()] == ["b.bundle"]


def test_a_foreign_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"not a spikehalt checkpoint|truncated"):
        export_bundle(path)


def test_only_a_layout_that_nobody_asked_for_is_explained(checkpoint: Path, tmp_path: Path) -> None:
    said: list[str] = []
    options = ExportOptions(layout="packed")
    bundle = export_bundle(checkpoint, tmp_path / "b.bundle", options, said.append)
    assert bundle.manifest.layout == "packed" and said == []
    bundle = export_bundle(checkpoint, tmp_path / "b.bundle", say=said.append)
    assert bundle.manifest.layout == "dense"
    assert [text.split(":")[0] for text in said] == ["layout dense", "merging"]


@pytest.mark.parametrize("layout", ["packed", "dense", "lagged"])
def test_lagged_bundles_give_out_the_masks_that_their_row_lists_are_made_of(
    checkpoint: Path, tmp_path: Path, layout: Layout
) -> None:
    manifest = export_bundle(checkpoint, tmp_path / "b", ExportOptions(layout=layout)).manifest
    assert manifest.live_masks == (layout == "lagged")


def test_the_checkpoint_is_read_once(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str | Path] = []

    def load(path: str | Path) -> Checkpoint:
        read.append(path)
        return load_checkpoint(path)

    monkeypatch.setattr("export.bundle.write.load_checkpoint", load)
    monkeypatch.setattr("train.checkpoint.load_checkpoint", load)
    arguments = ["--target", "onnx", "--out", str(tmp_path / "b")]
    assert main([str(checkpoint), *arguments]) == 0
    assert read == [checkpoint]


def test_an_invalid_graph_is_never_written() -> None:
    node = onnx.helper.make_node("Neg", ["missing"], ["y"])
    value = onnx.helper.make_tensor_value_info("y", 1, [1])
    broken = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [value]))
    with pytest.raises(ExportError, match=r"first\.onnx is not a valid ONNX model"):
        check_model("first.onnx", broken)


def test_weights_survive_the_round_trip(checkpoint: Path, tmp_path: Path) -> None:
    bundle = export_bundle(checkpoint, tmp_path / "b.bundle")
    model = load_graph(bundle, "first.onnx")
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    network = dyadic_network(dyadic_config("spikformer", "isps", "block_time", 3))
    head = network.head.weight.detach().numpy().T
    assert any(array.shape == head.shape and np.array_equal(array, head) for array in arrays)


def test_the_bundle_prepares_images_as_training_did(checkpoint: Path, tmp_path: Path) -> None:
    how = Preprocessing(fit="crop", crop_share=0.875, interpolation="bicubic", channel_order="bgr")
    save_checkpoint(tmp_path / "c.pt", replace(load_checkpoint(checkpoint), preprocessing=how))
    assert export_bundle(tmp_path / "c.pt").manifest.input.preprocessing == how
    assert Bundle.open(tmp_path / "c.bundle").manifest.input.preprocessing == how


@pytest.mark.parametrize(
    "changes",
    [
        {"timesteps": 8, "model": {}},
        {"layout": "dense"},
        {"precision": "int8"},
        {"tokens": 65, "model": {}},
        {"halting": HaltingSpec(mode="none"), "model": {}},
    ],
)
def test_an_engine_refuses_a_manifest_of_another_export(
    checkpoint: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    bundle = export_bundle(checkpoint, tmp_path / "b", ExportOptions(layout="packed"))
    update_manifest(bundle.root, dataclasses.replace(bundle.manifest, **changes))

    with pytest.raises(BundleFormatError, match="the manifest says"):
        Engine(bundle.root, threads=1)
