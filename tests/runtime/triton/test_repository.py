"""What Triton reads, checked by its own description of a model's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.bundle import Bundle
from runtime.cli import main
from runtime.errors import BundleWriteError
from runtime.triton.config import onnxruntime_config, python_config
from runtime.triton.repository import TritonOptions, write_graph_model, write_python_model
from spikehalt.errors import ConfigError
from tests.runtime.conftest import MakeBundle
from tests.runtime.toy import toy_manifest


def parsed(text: str) -> Any:
    """The configuration as Triton's protobuf message."""
    protobuf = pytest.importorskip("google.protobuf.text_format", reason="needs protobuf")
    described = pytest.importorskip(
        "tritonclient.grpc.model_config_pb2", reason="needs pip install tritonclient[http] grpcio"
    )
    return protobuf.Parse(text, described.ModelConfig())


def test_the_engine_s_configuration_is_triton_s() -> None:
    text = python_config(
        'odd "name"', toy_manifest(), max_batch=8, queue=5, instances=2, gpu=True,
        parameters={"policy": "halting", "threshold": "1.5"},
    )  # fmt: skip
    config = parsed(text)
    assert config.name == 'odd "name"' and config.backend == "python"
    assert config.max_batch_size == 8 and list(config.input[0].dims) == [4, 4, 3]
    assert config.dynamic_batching.default_queue_policy.max_queue_size == 5
    group = config.instance_group[0]
    assert group.count == 2 and group.Kind.Name(group.kind) == "KIND_GPU"
    assert config.parameters["threshold"].string_value == "1.5"
    assert not config.model_transaction_policy.decoupled
    assert [each.name for each in config.output][:2] == ["label", "name"]


def test_the_graph_s_configuration_is_triton_s() -> None:
    config = parsed(onnxruntime_config("toy", toy_manifest(chunk=4), "/ops.so"))
    assert config.backend == "onnxruntime" and config.max_batch_size == 0
    assert list(config.model_operations.op_library_filename) == ["/ops.so"]
    epsilon = next(each for each in config.input if each.name == "epsilon")
    assert list(epsilon.dims) == [1] and epsilon.HasField("reshape")


def test_a_repository_is_written_once(bundle: Bundle, tmp_path: Path) -> None:
    folder = write_python_model(bundle, "toy", tmp_path / "models", TritonOptions())
    copied = Bundle.open(folder / "1" / "model.bundle")
    assert copied.fingerprint == bundle.fingerprint
    compile((folder / "1" / "model.py").read_text(), "model.py", "exec")
    with pytest.raises(BundleWriteError, match="is there already"):
        write_python_model(bundle, "toy", tmp_path / "models", TritonOptions())


def test_one_graph_stands_alone_and_two_do_not(make_bundle: MakeBundle, tmp_path: Path) -> None:
    whole = make_bundle("whole.bundle", chunk=4)
    folder = write_graph_model(whole, "whole", tmp_path / "models", None)
    assert (folder / "1" / "model.onnx").read_bytes() == whole.read("first.onnx")
    with pytest.raises(ConfigError, match="--chunk 4"):
        write_graph_model(make_bundle("two.bundle", chunk=1), "two", tmp_path / "models", None)
    assert not (tmp_path / "models" / "two").exists()


def test_the_command_prints_the_folders(
    make_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundles = [str(make_bundle(f"{name}.bundle").root) for name in ("one", "two")]
    assert main(["triton", *bundles, "--out", str(tmp_path / "models")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [str(tmp_path / "models" / name) for name in ("one", "two")]
