"""What export calls int8, the runtime takes for int8, whatever ops the graphs have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.bundle.write import export_bundle
from export.options import ExportOptions
from plugins.ops import OPS
from runtime import Engine
from runtime.backends.contract import _INT8_OPS
from tests.train.samples import lively_network, tiny_model
from train.checkpoint import Checkpoint, save_checkpoint


def test_every_op_of_integer_products_is_known_as_int8() -> None:
    ours = {op.name for op in OPS if op.name.endswith("Integer")}
    assert ours and ours <= _INT8_OPS


@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("spike_ops", [True, False])
def test_int8_bundles_open_and_answer(tmp_path: Path, stem: str, spike_ops: bool) -> None:
    config = tiny_model(stem=stem)
    network = lively_network(config)
    classes = tuple(f"c{n}" for n in range(config.classes))
    save_checkpoint(tmp_path / "c.pt", Checkpoint(config, network.state_dict(), classes, "halting"))
    options = ExportOptions(precision="int8", spike_ops=spike_ops)
    bundle = export_bundle(tmp_path / "c.pt", tmp_path / "c.bundle", options)
    spec = bundle.manifest.input
    images = np.zeros((2, spec.height, spec.width, spec.channels), np.uint8)
    with Engine(bundle, policy="never") as engine:
        assert len(engine(images)) == 2


def test_int8_bundles_for_event_frames_open_and_answer(tmp_path: Path) -> None:
    config = tiny_model(stem="sps", input="frames", channels=2)
    network = lively_network(config)
    classes = tuple(f"c{n}" for n in range(config.classes))
    save_checkpoint(tmp_path / "c.pt", Checkpoint(config, network.state_dict(), classes, "halting"))
    bundle = export_bundle(
        tmp_path / "c.pt", tmp_path / "c.bundle", ExportOptions(precision="int8")
    )
    spec = bundle.manifest.input
    frames = np.ones((1, spec.timesteps, 2, spec.height, spec.width), np.float32)
    with Engine(bundle, policy="never") as engine:
        assert len(engine(frames)) == 1
