"""Weights that both graphs read from one file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.bundle.weights import DIGEST_KEY, SHARED_FROM_BYTES, load_graph, share_weights
from export.bundle.write import export_bundle
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from runtime import Engine
from runtime.backends.onnxruntime import session as backend
from runtime.bundle.read import Bundle
from runtime.errors import BundleIntegrityError
from tests.export.dyadic import dyadic_config, dyadic_network, pictures
from train.checkpoint import Checkpoint, save_checkpoint


def graphs() -> dict[str, onnx.ModelProto]:
    plan = make_plan(dyadic_network(dyadic_config("spikformer", "isps", "block_time", 0)))
    return unroll(plan, ExportOptions(layout="packed"))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    network = dyadic_network(dyadic_config("spikformer", "isps", "block_time", 0))
    path = tmp_path / "net.pt"
    names = ("a", "b", "c", "d", "e")
    save_checkpoint(path, Checkpoint(network.config, network.state_dict(), names, "halting", {}))
    return export_bundle(path, options=ExportOptions(layout="packed"))


def values(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_a_loaded_graph_has_the_weights_it_was_exported_with(bundle: Bundle) -> None:
    for name, expected in graphs().items():
        found, wanted = values(load_graph(bundle, name)), values(expected)
        assert set(found) == set(wanted)
        assert all(np.array_equal(found[key], wanted[key]) for key in wanted)


def test_a_weight_of_both_graphs_is_stored_once() -> None:
    models = graphs()
    large = {
        tensor.name: len(tensor.raw_data)
        for model in models.values()
        for tensor in model.graph.initializer
        if len(tensor.raw_data) >= SHARED_FROM_BYTES
    }
    separate = sum(len(model.SerializeToString()) for model in models.values())
    content = share_weights(models)
    assert sum(large.values()) <= len(content) <= sum(large.values()) + 4096 * len(large)
    together = len(content) + sum(len(model.SerializeToString()) for model in models.values())
    assert together < separate


def test_both_graphs_name_the_digest_of_their_weights() -> None:
    models = graphs()
    share_weights(models)
    digests = {p.value for m in models.values() for p in m.metadata_props if p.key == DIGEST_KEY}
    content = share_weights(graphs())
    assert digests == {hashlib.sha256(content).hexdigest()}


def test_a_single_graph_keeps_its_weights(bundle: Bundle) -> None:
    whole = export_bundle(bundle.root.with_suffix(".pt"), options=ExportOptions(chunk=4))
    assert set(whole.manifest.files) == {"first.onnx"}


def test_modified_weights_are_refused(bundle: Bundle) -> None:
    content = bytearray((bundle.root / "weights.bin").read_bytes())
    content[0] ^= 1
    (bundle.root / "weights.bin").write_bytes(content)
    with pytest.raises(BundleIntegrityError, match=r"weights\.bin"):
        Engine(bundle.root)
    with pytest.raises(BundleIntegrityError, match=r"weights\.bin"):
        load_graph(bundle, "first.onnx")


def test_weights_overwritten_while_an_engine_is_open_change_nothing(bundle: Bundle) -> None:
    with Engine(bundle.root) as engine:
        before = engine(pictures(3)).logits
        (bundle.root / "weights.bin").write_bytes(b"")
        np.testing.assert_array_equal(engine(pictures(3)).logits, before)


def test_a_library_that_cannot_take_bytes_opens_the_file(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine(bundle.root) as engine:
        expected = engine(pictures(3)).logits

    class Without:
        """Session options of an older ONNX Runtime."""

        def __init__(self, real: object) -> None:
            self.real = real

        def __getattr__(self, name: str) -> object:
            raise AttributeError(name)

    original = backend._Weights.attach
    monkeypatch.setattr(
        backend._Weights,
        "attach",
        lambda self, name, model, chosen: original(self, name, model, Without(chosen)),
    )
    with Engine(bundle.root) as engine:
        np.testing.assert_array_equal(engine(pictures(3)).logits, expected)
