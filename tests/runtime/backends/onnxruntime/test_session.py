from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx.external_data_helper import set_external_data

from runtime import Engine
from runtime.backends.onnxruntime import session as onnxruntime_backend
from runtime.backends.registry import SessionOptions, open_session
from runtime.bundle import Bundle, write_bundle
from runtime.errors import BackendError, BundleFormatError, OutOfMemoryError
from tests.runtime.toy import toy_files, toy_manifest

Images = NDArray[np.uint8]


def test_states_stay_in_the_backends_own_tensors(bundle: Bundle, images: Images) -> None:
    session = open_session("onnxruntime", bundle, SessionOptions())
    inputs = {"image": images, "epsilon": np.array(0.3, np.float32)}

    step = session.run(inputs, None, last=False, masks=False)

    assert set(step.states) == {
        f"next.state.{name}" for name in ("hist", "sum", "count", "where", "tokens")
    }
    assert all(isinstance(value, onnxruntime.OrtValue) for value in step.states.values())
    assert step.states["next.state.count"].shape() == []
    live = int(step.live_tokens[:, 0, 1].sum())
    assert step.states["next.state.where"].shape() == [live, 2]


def test_states_do_not_pass_through_numpy(
    bundle: Bundle, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[list[int]] = []
    to_numpy = onnxruntime.OrtValue.numpy

    def watched(value: Any) -> Any:
        copied.append(value.shape())
        return to_numpy(value)

    monkeypatch.setattr(onnxruntime.OrtValue, "numpy", watched)
    with Engine(bundle) as engine:
        engine(images)

    assert copied == [[12, 3], [12], [12, 1, 2]] * 4  # logits, halt score, live tokens


def test_the_last_chunk_computes_no_states(bundle: Bundle, images: Images) -> None:
    session = open_session("onnxruntime", bundle, SessionOptions())
    inputs = {"image": images, "epsilon": np.array(0.3, np.float32)}

    assert session.run(inputs, None, last=True, masks=True).states is None


@pytest.mark.parametrize("options", [{"threads": 1}, {"threads": 2, "spin": False}])
def test_thread_options_do_not_change_answers(
    bundle: Bundle, images: Images, options: dict[str, Any]
) -> None:
    with Engine(bundle) as engine, Engine(bundle, **options) as other:
        np.testing.assert_array_equal(engine(images).logits, other(images).logits)
        assert other.info.options["spin"] is options.get("spin", True)


@pytest.mark.parametrize(
    ("spin", "key", "value"),
    [
        (True, "session.force_spinning_stop", "1"),
        (False, "session.intra_op.allow_spinning", "0"),
    ],
)
def test_threads_of_the_graph_that_waits_never_spin(spin: bool, key: str, value: str) -> None:
    """`first` and `next` have a pool each: the idle one would take the cores from the other."""
    options = onnxruntime_backend._session_options(onnxruntime, SessionOptions(spin=spin))

    assert options.get_session_config_entry(key) == value


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    files = {"first.onnx": b"\xffnot a graph", "next.onnx": b"\xff"}
    write_bundle(tmp_path / "a.bundle", toy_manifest(), files)

    with pytest.raises(BundleFormatError, match=r"first\.onnx is not an ONNX model"):
        Engine(tmp_path / "a.bundle")


def test_a_graph_the_library_refuses_is_a_backend_error(tmp_path: Path) -> None:
    files = toy_files(toy_manifest())
    model = onnx.load_from_string(files["first.onnx"])
    model.graph.node[0].op_type = "NoSuchOperator"
    files["first.onnx"] = model.SerializeToString()
    write_bundle(tmp_path / "a.bundle", toy_manifest(), files)

    with pytest.raises(BackendError, match=r"loading .*first\.onnx.*NoSuchOperator"):
        Engine(tmp_path / "a.bundle")


def test_an_op_that_an_old_version_lacks_is_an_advice_to_update(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def old(*_: Any, **__: Any) -> None:
        raise RuntimeError("NOT_IMPLEMENTED : Could not find an implementation for Add(14) node")

    monkeypatch.setattr(onnxruntime, "InferenceSession", old)
    with pytest.raises(BackendError, match=r"Add\(14\).*1\.22 and newer: update it"):
        Engine(bundle)


def test_inputs_the_graph_refuses_are_a_backend_error(bundle: Bundle, images: Images) -> None:
    session = open_session("onnxruntime", bundle, SessionOptions())
    inputs = {"image": images, "epsilon": np.zeros(3, np.float32)}

    with pytest.raises(BackendError, match="running a chunk"):
        session.run(inputs, None, last=True, masks=False)


def test_lack_of_memory_has_its_own_error(
    bundle: Bundle, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("Failed to allocate memory for requested buffer of size 99999999999")

    with Engine(bundle) as engine:
        monkeypatch.setattr(onnxruntime.InferenceSession, "run_with_iobinding", fail)
        with pytest.raises(OutOfMemoryError, match="fewer images at once"):
            engine(images)
        monkeypatch.undo()
        assert len(engine(images)) == 12


def test_lack_of_memory_while_loading_is_no_matter_of_images(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("std::bad_alloc")

    monkeypatch.setattr(onnxruntime, "InferenceSession", fail)
    with pytest.raises(OutOfMemoryError, match=r"loading .*fewer threads") as refused:
        Engine(bundle)
    assert "images" not in str(refused.value)


def with_external_weights(tmp_path: Path, location: str, listed: bool) -> Path:
    """A toy bundle whose float constants lie in a file called `location`."""
    manifest = toy_manifest()
    files = toy_files(manifest)
    model = onnx.load_from_string(files["first.onnx"])
    weights = b""
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            data = tensor.raw_data
            set_external_data(tensor, location, offset=len(weights), length=len(data))
            tensor.ClearField("raw_data")
            weights += data
    files["first.onnx"] = model.SerializeToString()
    if listed:
        files[location] = weights
    write_bundle(tmp_path / "a.bundle", manifest, files)
    return tmp_path / "a.bundle"


def test_weights_may_lie_in_another_file_of_the_bundle(
    tmp_path: Path, bundle: Bundle, images: Images
) -> None:
    path = with_external_weights(tmp_path, "weights.bin", listed=True)

    with Engine(path) as engine, Engine(bundle) as reference:
        np.testing.assert_array_equal(engine(images).logits, reference(images).logits)


class OldSessionOptions(onnxruntime.SessionOptions):  # type: ignore[misc]
    """As ONNX Runtime 1.22 and 1.23 have them: they cannot take weights as bytes."""

    def __getattribute__(self, name: str) -> Any:
        if name == "add_external_initializers_from_files_in_memory":
            raise AttributeError(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize("old", [False, True])
def test_weights_swapped_after_the_check_are_not_used(
    tmp_path: Path, bundle: Bundle, images: Images, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    path = with_external_weights(tmp_path, "weights.bin", listed=True)
    read = Bundle.read

    def swapping(opened: Bundle, name: str) -> bytes:
        data = read(opened, name)
        if name == "weights.bin":
            (path / name).write_bytes(b"\x7f" * len(data))
        return data

    monkeypatch.setattr(Bundle, "read", swapping)
    if old:
        monkeypatch.setattr(onnxruntime, "SessionOptions", OldSessionOptions)

    with Engine(path) as engine, Engine(bundle) as reference:
        np.testing.assert_array_equal(engine(images).logits, reference(images).logits)


@pytest.mark.parametrize("location", ["../weights.bin", "/weights.bin", "unlisted.bin"])
def test_weights_outside_the_bundle_are_refused(tmp_path: Path, location: str) -> None:
    path = with_external_weights(tmp_path, location, listed=False)

    with pytest.raises(BundleFormatError, match="not a file of the bundle"):
        Engine(path)


def test_weights_of_nested_tensors_come_from_the_checked_file_alone(
    tmp_path: Path, bundle: Bundle, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime looks for those of a node in the current folder."""
    path = with_external_weights(tmp_path, "weights.bin", listed=True)
    model = onnx.load_from_string((path / "first.onnx").read_bytes())
    for tensor in [each for each in model.graph.initializer if each.external_data]:
        node = onnx.helper.make_node("Constant", [], [tensor.name], value=tensor)
        model.graph.node.insert(0, node)
        model.graph.initializer.remove(tensor)
    files: dict[str, bytes | Path] = {
        name: (path / name).read_bytes() for name in ("next.onnx", "weights.bin")
    }
    write_bundle(path, bundle.manifest, {**files, "first.onnx": model.SerializeToString()})
    (tmp_path / "weights.bin").write_bytes(b"\x7f" * (path / "weights.bin").stat().st_size)
    monkeypatch.chdir(tmp_path)

    with Engine(path) as engine, Engine(bundle) as reference:
        np.testing.assert_array_equal(engine(images).logits, reference(images).logits)


def test_a_model_that_also_looks_like_the_other_format_is_read_as_onnx(
    tmp_path: Path, bundle: Bundle, images: Images
) -> None:
    files = toy_files(bundle.manifest)
    model = onnx.load_from_string(files["first.onnx"])
    model.ClearField("producer_name")
    files["first.onnx"] = b"\x12\x06aaORTM" + model.SerializeToString()
    write_bundle(tmp_path / "a.bundle", bundle.manifest, files)

    with Engine(tmp_path / "a.bundle") as engine, Engine(bundle) as reference:
        np.testing.assert_array_equal(engine(images).logits, reference(images).logits)


def test_classes_and_logits_must_agree(bundle: Bundle) -> None:
    manifest = dataclasses.replace(bundle.manifest, classes=("a", "b"))

    with pytest.raises(BundleFormatError, match=r"logits of shape \[B, 2\]"):
        Engine(Bundle(bundle.root, manifest, ""))
