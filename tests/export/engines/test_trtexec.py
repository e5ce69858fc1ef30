from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

import plugins
from export.__main__ import main
from export.engines.build import load_graphs
from export.engines.profiles import BatchRange
from export.engines.trtexec import write_files
from runtime.bundle.read import Bundle
from tests.export.dyadic import pictures
from tests.fakes.bundles import write_small_bundle
from tests.fakes.install import install
from tests.fakes.tensorrt import ICudaEngine, World


def commands(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The printed commands, as a shell would split them."""
    text = capsys.readouterr().out.replace("\\\n", " ")
    lines = [shlex.split(line) for line in text.splitlines()]
    return [words for words in lines if words and words[0] == "trtexec"]


def flag(words: list[str], name: str) -> str:
    (value,) = [w.split("=", 1)[1] for w in words if w.startswith(f"--{name}=")]
    return value


def test_each_graph_is_built_and_profiled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path)
    assert main(["trtexec", str(bundle.root), "--major", "10", "--batch", "1:2:4"]) == 0
    out = tmp_path / "small.trtexec"
    text, words = "", commands(capsys)
    assert [w[1] for w in words] == [
        "--onnx=first.onnx", "--loadEngine=first.plan",
        "--onnx=next.onnx", "--loadEngine=next.plan",
    ]  # fmt: skip
    build, profile = words[2:]
    assert flag(build, "minShapes") == "alive:1,rows.block2:64"
    assert flag(build, "optShapes") == flag(profile, "shapes") == "alive:2,rows.block2:192"
    assert flag(build, "maxShapes") == "alive:4,rows.block2:320"
    assert flag(build, "saveEngine") == flag(profile, "loadEngine") == "next.plan"
    plugins = flag(build, "dynamicPlugins")
    assert plugins == flag(profile, "dynamicPlugins")
    assert plugins.endswith("libspikehalt_plugins_trt10.so")
    for pair in flag(profile, "loadInputs").split(","):
        assert (out / pair.split(":")[1]).is_file()
    assert text == ""


def test_what_11_does_by_itself_is_asked_for_on_10(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path)
    found = {}
    for major in (10, 11):
        assert main(["trtexec", str(bundle.root), "--major", str(major)]) == 0
        found[major] = {w.split("=")[0] for words in commands(capsys) for w in words}
    assert found[10] - found[11] == {
        "--stronglyTyped", "--useCudaGraph", "--noDataTransfers", "--useSpinWait",
        "--separateProfileRun",
    }  # fmt: skip
    assert not found[11] - found[10]
    assert not {"--fp16", "--int8", "--best", "--plugins"} & (found[10] | found[11])


def test_a_static_batch_needs_no_shapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_small_bundle(tmp_path, "dense")
    assert main(["trtexec", str(bundle.root), "--major", "11", "--batch", "2"]) == 0
    assert not any("Shapes=" in w or "--shapes=" in w for words in commands(capsys) for w in words)


@pytest.mark.parametrize("layout", ["dense", "lagged"])
@pytest.mark.parametrize("source", ["image", "frames"])
def test_the_files_run_and_give_the_bundles_answers(
    tmp_path: Path, layout: str, source: str
) -> None:
    frames = {"stem": "sps", "input": "frames", "channels": 2} if source == "frames" else {}
    bundle = write_small_bundle(tmp_path, layout, **frames)
    data: Any = pictures(3)
    if source == "frames":
        data = np.random.default_rng(1).integers(0, 3, (3, 4, 2, 8, 8)).astype(np.float32)
    write_files(bundle, BatchRange(1, 3, 4), data, tmp_path / "out", plugins=True)

    first = run_files(tmp_path / "out", "first", batch=3)
    following = run_files(tmp_path / "out", "next", batch=3)
    from runtime import Engine

    with Engine(bundle, threads=1, policy="never") as engine:
        recording = engine.record(data)
    for point, found in enumerate((first, following)):
        np.testing.assert_allclose(found["logits"], recording.logits[:, point], atol=1e-5)
        np.testing.assert_array_equal(found["live_tokens"][:, 0], recording.live_tokens[:, point])


def run_files(folder: Path, graph: str, batch: int) -> dict[str, Any]:
    """Run a written graph on its written inputs, as trtexec reads them: raw bytes."""
    model = onnx.load(folder / f"{graph}.onnx")
    assert not {function.name for function in model.functions} & set(plugins.PLUGIN_OPS)
    engine = ICudaEngine(World(None), model, None)
    feed = {}
    for value in model.graph.input:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        raw = np.fromfile(folder / f"{graph}.{value.name}.bin", dtype)
        dims = [d.dim_value or -1 for d in value.type.tensor_type.shape.dim]
        feed[value.name] = raw.reshape(dims)
    names = [each.name for each in engine._session.get_outputs()]
    return dict(zip(names, engine._session.run(names, feed), strict=True))


def test_function_bodies_stay_without_plugins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path)
    out = tmp_path / "out"
    arguments = ["trtexec", str(bundle.root), "--major", "10", "--no-plugins", "--out", str(out)]
    assert main(arguments) == 0
    names = {function.name for function in onnx.load(out / "next.onnx").functions}
    assert names & set(plugins.PLUGIN_OPS)
    assert not any("Plugins" in w for words in commands(capsys) for w in words)


def test_images_of_ones_own_are_the_inputs(tmp_path: Path) -> None:
    bundle = write_small_bundle(tmp_path)
    for number, pixels in enumerate(pictures(2)):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    out = tmp_path / "out"
    arguments = ["trtexec", str(bundle.root), "--major", "10", "--batch", "3", "--out", str(out)]
    assert main([*arguments, "--images", str(tmp_path / "0.png"), str(tmp_path / "1.png")]) == 0
    written = np.fromfile(out / "first.image.bin", np.uint8).reshape(3, 8, 8, 3)
    np.testing.assert_array_equal(written, pictures(2)[[0, 1, 0]])


def test_the_installed_version_is_found_or_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path)
    install(monkeypatch, tmp_path, version="11.4.0.106")
    assert main(["trtexec", str(bundle.root)]) == 0
    assert "--stronglyTyped" not in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert main(["trtexec", str(bundle.root)]) == 2
    said = capsys.readouterr().err
    assert "--major 10 or 11: " in said and "needs tensorrt, which is not installed" in said


def test_packed_graphs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle: Bundle = write_small_bundle(tmp_path, "packed")
    assert load_graphs(bundle)
    assert main(["trtexec", str(bundle.root), "--major", "10"]) == 2
    assert "--layout lagged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "wanted"), [(None, "does not exist"), (b"none", "is not a readable image")]
)
def test_images_that_cannot_be_read_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, wanted: str
) -> None:
    bundle = write_small_bundle(tmp_path)
    path = tmp_path / "image.png"
    if content is not None:
        path.write_bytes(content)
    out = tmp_path / "out"
    arguments = ["trtexec", str(bundle.root), "--major", "10", "--out", str(out)]
    assert main([*arguments, "--images", str(path)]) == 2
    assert f"error: {path} {wanted}" in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path)
    assert main(["trtexec", str(bundle.root), "--major", "10", "--out", "/dev/null/x"]) == 2
    assert "the folder /dev/null/x cannot be made" in capsys.readouterr().err
