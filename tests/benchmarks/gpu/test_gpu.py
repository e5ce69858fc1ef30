"""The GPU benchmark, on a processor: its networks, its candidates, its engines, its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from benchmarks.gpu import command as gpu
from benchmarks.gpu import networks as gpu_networks
from benchmarks.gpu import worker as gpu_worker
from benchmarks.gpu.networks import Prepared, Wanted, nearest, prepare
from benchmarks.gpu.worker import CANDIDATES, Conditions, Ours
from runtime.results.trajectory import Trajectory
from train.config import ModelConfig, StemConfig

TINY = ModelConfig(
    depth=3, dim=32, heads=2, timesteps=2, stem=StemConfig(kind="isps"), attention_scale=0.125
)
WANTED = Wanted(tokens=0.6, timesteps=1.5)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    prepare(TINY, WANTED, folder)
    return folder


def conditions(networks: Path, batch: int = gpu_networks.PROBES) -> Conditions:
    return Conditions(networks, batch, "fp32", "cpu")


def test_tokens_and_timesteps_are_about_those_wanted(networks: Path) -> None:
    found = Prepared.load(networks)
    assert found.tokens == pytest.approx(WANTED.tokens, abs=0.15)
    assert found.timesteps == pytest.approx(WANTED.timesteps, abs=0.1)


def test_the_engine_does_what_was_prepared(networks: Path) -> None:
    found = Prepared.load(networks)
    exits = gpu_worker.ours(Ours("halting", "onnxruntime", exits=True), conditions(networks))
    every = gpu_worker.ours(Ours("halting", "onnxruntime", whole=True), conditions(networks))
    assert exits.step() == every.step() == gpu_networks.PROBES
    assert exits.about()["timesteps"] == pytest.approx(found.timesteps)
    assert every.about()["timesteps"] == TINY.timesteps
    assert every.about()["tokens"] == pytest.approx(found.tokens, abs=0.01)


def test_bisection_keeps_the_best_point_it_met() -> None:
    point, value = nearest(lambda x: -x, (-1.0, 1.0), 0.25)
    assert (point, value) == pytest.approx((-0.25, 0.25), abs=1e-3)
    # The first middle is best here: the quantity jumps over what is wanted afterwards.
    assert nearest(lambda x: 0.5 if x == 0 else float(x < 0), (-1.0, 1.0), 0.4) == (0.0, 0.5)


def test_threshold_lets_images_run_about_as_long_as_wanted() -> None:
    logits = np.zeros((4, 3, 2), np.float32)
    logits[:, :, 0] = [[1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]]
    trajectory = Trajectory(
        logits=logits,
        halt_score=np.zeros((4, 3), np.float32),
        live_tokens=np.ones((4, 3, 1), np.int32),
    )
    threshold, timesteps = gpu_networks.fitting_threshold(trajectory, 1.75)
    assert timesteps == 1.75
    np.testing.assert_array_equal(trajectory.exits("confidence", threshold), [2, 1, 0, 0])


@pytest.mark.parametrize("name", ["spikingjelly", "ann", "ann-onnx"])
def test_peers_classify_a_batch(networks: Path, name: str) -> None:
    candidate = CANDIDATES[name](conditions(networks, batch=3))
    assert candidate.step() == 3
    assert candidate.about()["runs_with"].startswith(("PyTorch", "ONNX Runtime"))


def test_a_provider_that_is_not_there_is_no_silent_fallback(networks: Path) -> None:
    if "TensorrtExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has TensorRT's provider")
    with pytest.raises(RuntimeError, match="has no TensorrtExecutionProvider"):
        CANDIDATES["ann-tensorrt"](conditions(networks))


@pytest.mark.parametrize(
    ("kind", "layout", "batch"),
    [
        (Ours("static", "tensorrt-rtx", whole=True), "dense", (4, 4, 4)),
        (Ours("halting", "tensorrt-rtx", exits=True), "lagged", (1, 4, 4)),
    ],
)
def test_engines_are_built_for_the_gpu(
    networks: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Ours,
    layout: str,
    batch: tuple[int, int, int],
) -> None:
    pytest.importorskip("tensorrt_rtx")
    monkeypatch.setattr(gpu_worker, "this_capability", lambda: "8.6")
    bundle = gpu_worker.our_bundle(kind, conditions(networks, batch=4))
    assert bundle.manifest.layout == layout
    assert any(name.endswith(".plan") for name in bundle.manifest.files)
    options = gpu_worker.engine_options(kind, conditions(networks, batch=4))
    found = options.batch
    assert (found.smallest, found.typical, found.largest) == batch


def test_every_candidate_is_described() -> None:
    words = [gpu.in_other_words(name) for name in CANDIDATES]
    assert all(words)
    assert gpu.in_other_words("tensorrt-exit-bodies").endswith("no plugins")
    assert gpu.in_other_words("onnxruntime-cuda-halting-steps") == "ours: halting"


@pytest.mark.slow
def test_processes_give_figures_or_reasons(networks: Path) -> None:
    asked = ["ann", "onnxruntime-exit", "ann-tensorrt"]
    ann, ours, missing = gpu.measure(asked, conditions(networks, batch=2), count=2)
    assert ann["ms"] > 0 and ours["ms"] > 0
    assert 1 <= ours["timesteps"] <= TINY.timesteps
    measured = ours.figures["energy_mj"] is not None
    assert measured == ours.figures["energy_note"].startswith(("RAPL", "INA3221", "zeus"))
    assert missing.figures == {"batch": 2} and missing.failed is not None
    shown = gpu.table([ann, ours, missing], 2)
    assert "early exit" in shown.cells(ours)[0] and missing.failed in missing.reason


def test_without_a_gpu_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 2
    assert "--device cpu" in capsys.readouterr().err
