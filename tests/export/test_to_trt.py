from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from export.to_trt import main
from runtime.bundle.engine_manifest import read_sidecars
from runtime.bundle.read import Bundle
from tests.fakes.bundles import write_checkpoint, write_small_bundle
from tests.fakes.install import install
from train.config import DropConfig

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "small.pt")


def test_onnx_alone_writes_a_bundle_and_explains_its_layout(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(checkpoint), "--target", "onnx"]) == 0
    bundle = Bundle.open(checkpoint.with_suffix(".bundle"))
    assert bundle.manifest.layout == "dense"
    assert sorted(bundle.manifest.files) == ["first.onnx", "next.onnx", "weights.bin"]
    out, err = capsys.readouterr()
    assert out.startswith(f"{bundle.root}: ") and out.count("\n") == 4
    assert "note: layout dense: a block's linear layers cost" in err and "--layout overrides" in err
    assert "note: run it with: python -m runtime run" in err


def test_onnx_only_is_another_word_for_it(checkpoint: Path) -> None:
    assert main([str(checkpoint), "--onnx-only", "--fp16", "--chunk", "4"]) == 0
    manifest = Bundle.open(checkpoint.with_suffix(".bundle")).manifest
    assert (manifest.precision, manifest.chunk, list(manifest.files)) == ("fp16", 4, ["first.onnx"])


def test_auto_without_tensorrt_writes_the_bundle_and_says_why_no_engine(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install(monkeypatch, tmp_path, gpu=False)
    assert main([str(checkpoint)]) == 1
    said = capsys.readouterr().err
    assert "note: no engine was built: TensorRT builds engines only on the GPU" in said
    assert "needs tensorrt_rtx, which is not installed" in said
    assert Bundle.open(checkpoint.with_suffix(".bundle")).manifest.layout == "dense"


def test_auto_takes_options_of_engines_though_none_is_built(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path, gpu=False)
    assert main([str(checkpoint), "--batch", "4", "--workspace", "64", "--no-plugins"]) == 1


def test_a_target_asked_for_by_name_must_be_there(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install(monkeypatch, tmp_path, gpu=False)
    assert main([str(checkpoint), "--target", "tensorrt"]) == 2
    assert "error: TensorRT builds engines only on the GPU" in capsys.readouterr().err
    assert not checkpoint.with_suffix(".bundle").exists()


def test_engines_get_the_layout_that_suits_them_unless_one_is_named(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path)
    for arguments, layout in (
        ([], "lagged"),
        (["--batch", "1"], "dense"),
        (["--chunk", "4"], "dense"),
    ):
        assert main([str(checkpoint), "--force", *arguments]) == 0
        bundle = Bundle.open(checkpoint.with_suffix(".bundle"))
        assert bundle.manifest.layout == layout
        assert read_sidecars(bundle, "tensorrt")
    assert main([str(checkpoint), "--layout", "dense", "--out", str(tmp_path / "o")]) == 0
    assert Bundle.open(tmp_path / "o").manifest.layout == "dense"


def test_int8_is_for_what_the_target_runs(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path)
    for arguments, kind in (
        (["--target", "onnx"], "SpikeLinearInteger"),
        (["--target", "onnx", "--no-spike-ops", "--force"], "MatMulIntegerToFloat"),
        (["--target", "onnx", "--qdq", "--layout", "dense"], "DequantizeLinear"),
        ([], "DequantizeLinear"),
    ):
        assert main([str(checkpoint), "--int8", *arguments]) == 0
        bundle = Bundle.open(checkpoint.with_suffix(".bundle"))
        kinds = {node.op_type for node in onnx.load(bundle.root / "next.onnx").graph.node}
        assert bundle.manifest.precision == "int8"
        assert bundle.manifest.qdq == (kind == "DequantizeLinear")
        assert kinds & {"SpikeLinearInteger", "MatMulIntegerToFloat", "DequantizeLinear"} == {kind}
        assert bool(read_sidecars(bundle, "tensorrt")) == (arguments == [])


def test_packed_engines_are_refused_before_anything_is_built(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install(monkeypatch, tmp_path)
    assert main([str(checkpoint), "--layout", "packed"]) == 2
    assert "--layout dense or --layout lagged" in capsys.readouterr().err


def test_a_bundle_gets_engines_from_its_own_graphs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, tmp_path)
    bundle = write_small_bundle(tmp_path, "dense")
    assert main([str(bundle.root), "--batch", "2", "--no-plugins"]) == 0
    after = Bundle.open(bundle.root, verify=True)
    assert after.manifest.files["first.onnx"] == bundle.manifest.files["first.onnx"]
    assert {s.batch for s in read_sidecars(after, "tensorrt").values()} == {(2, 2, 2)}

    assert main([str(bundle.root), "--fp16", "--layout", "lagged"]) == 2
    assert "--fp16, --layout change graphs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "8:1"], "batch '8:1' is not N or MIN:OPT:MAX"),
        (["--target", "onnx", "--chunk", "3"], "chunk 3 does not divide T = 4"),
        (["--target", "onnx", "--qdq"], "--qdq says what --int8 is for: give both"),
        (["--onnx-only", "--hardware-compatible"], "--hardware-compatible would have no effect"),
    ],
)
def test_mistakes_end_with_status_2_and_one_sentence(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main([str(checkpoint), *arguments]) == 2
    assert f"error: {message}" in capsys.readouterr().err


def test_a_file_that_is_no_checkpoint_ends_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.pt").write_bytes(b"nothing")
    assert main([str(tmp_path / "x.pt"), "--target", "onnx"]) == 2
    assert "is not a spikehalt checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize("target", [["--target", "onnx"], []])
def test_a_model_that_drops_tokens_is_not_exported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    target: list[str],
) -> None:
    install(monkeypatch, tmp_path)
    drop = DropConfig("anchor", (1.0, 0.5))
    checkpoint = write_checkpoint(tmp_path / "small.pt", mode="none", drop=drop)
    assert main([str(checkpoint), *target]) == 2
    assert "error: drop.kind 'anchor' is a baseline" in capsys.readouterr().err
    assert not checkpoint.with_suffix(".bundle").exists()


WITHOUT_TORCH = """
import sys
for name in ("torch", "train", "tensorrt"):
    sys.modules[name] = None
from export.to_trt import main
sys.exit(main([sys.argv[1], "--target", "tensorrt"]))
"""


def test_building_from_a_bundle_needs_no_torch(tmp_path: Path) -> None:
    """As on a Jetson; TensorRT is not there either, so it ends with the sentence about that."""
    bundle = write_small_bundle(tmp_path, "dense")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(bundle.root)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs tensorrt, which is not installed" in done.stderr


def test_help_names_the_command_that_works_wherever_the_package_is_installed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m export.to_trt ")
    assert "python -m export.to_trt ckpt.pt --fp16" in out and "export/to_trt.py" not in out


def test_the_file_runs_as_a_script(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "export/to_trt.py", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--compute-capability" in done.stdout


DYING = """
import os, sys
from export.to_trt import main
calls, limit, real = 0, int(sys.argv[1]), os.fsync
def dying(fd):
    global calls
    calls += 1
    if calls > limit:
        os.kill(os.getpid(), 9)
    real(fd)
os.fsync = dying
main(sys.argv[2:])
"""


@pytest.mark.parametrize("limit", [0, 3])
def test_a_command_that_is_killed_leaves_the_old_bundle_whole(tmp_path: Path, limit: int) -> None:
    """However far it was with its files; and the next export finds nothing in its way."""
    bundle = write_small_bundle(tmp_path, "dense")
    again = [str(tmp_path / "small.pt"), "--onnx-only", "--int8", "--layout", "dense"]
    command = [sys.executable, "-c", DYING, str(limit), *again]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = Bundle.open(bundle.root)
    assert left.manifest == bundle.manifest
    assert {name: left.read(name) for name in left.manifest.files}
    assert main(again) == 0
    assert Bundle.open(bundle.root).manifest.precision == "int8"


@pytest.mark.parametrize("value", ["-5", "0", "x"])
def test_a_workspace_that_is_no_size_is_refused_by_its_option(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(checkpoint), "--target", "tensorrt-rtx", "--workspace", value])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("error: argument --workspace: ")
