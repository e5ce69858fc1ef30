from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from spikingjelly.activation_based.precision import PrecisionConfig

from benchmarks.common import peers
from benchmarks.train import command as benchmark
from train.config import NAMED_MODELS, ModelConfig, StemConfig

SMALL = ModelConfig(depth=1, dim=16, heads=2, image_size=(16, 16), stem=StemConfig(kind="sps"))


def test_every_candidate_is_measured_under_the_same_conditions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(NAMED_MODELS, "small", SMALL)
    out = tmp_path / "figures.json"
    options = benchmark.Options(
        model="small", batch=4, precision="fp32", steps=1, rounds=2, channels_last=True, json=out
    )
    figures = benchmark.main(options)
    assert [(figure.name, figure.figures["runs_with"]) for figure in figures] == [
        ("SpikingJelly", "reference, fp32"),
        ("ours", "in place, fp32"),
        ("SpikingJelly", "reference, fp32, channels last"),
        ("ours", "in place, fp32, channels last"),
    ]
    assert figures[0]["ratio"] == figures[0]["cpu_ratio"] == 1.0
    for figure in figures:
        assert 0 < figure["lowest"] <= figure["images_per_s"] <= figure["highest"]
        assert figure["cpu_ms"] > 0
    stored = json.loads(out.read_text())
    assert stored["figures"][1]["images_per_s"] == figures[1]["images_per_s"]
    said = capsys.readouterr().out
    assert "batch 4" in said and "SpikingJelly" in said


def test_a_compiled_candidate_stands_beside_the_eager_one() -> None:
    options = benchmark.Options(batch=4, compile=True)
    names = [c.runs_with for c in benchmark.ours(options, SMALL, channels_last=False)]
    assert names == ["in place, fp32", "compiled, fp32"]


def test_rows_tell_the_precision_in_force() -> None:
    """fp16 is not to be had on a CPU: Fabric says so and takes bf16."""
    options = benchmark.Options(batch=4, precision="fp16")
    with pytest.warns(UserWarning, match="fp16 is not supported"):
        (candidate,) = benchmark.ours(options, SMALL, channels_last=False)
    assert candidate.runs_with == "in place, bf16"


def implementation(monkeypatch: pytest.MonkeyPatch, name: str, **unavailable: str) -> None:
    said = {"implementation": name, "unavailable": unavailable}
    monkeypatch.setattr(peers.functional, "neuron_implementation", lambda *_: said)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_on_a_gpu_spikingjelly_runs_fused_at_every_precision(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """Under autocast its fused neurons have to be asked for."""
    asked = []
    monkeypatch.setattr(peers, "prepare_model_for_precision", lambda *args: asked.append(args))
    implementation(monkeypatch, "triton")
    peer, gpu = torch.nn.Identity(), torch.device("cuda")
    assert peers.choose_fused_neurons(peer, gpu, precision) == "triton"
    wanted = {"mode": precision, "neuron_storage": precision}
    assert asked == ([] if precision == "fp32" else [(peer, gpu, wanted)])
    PrecisionConfig(**wanted)


def test_a_comparison_with_an_unfused_spikingjelly_on_a_gpu_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    implementation(monkeypatch, "torch", triton="not installed")
    with pytest.raises(RuntimeError, match=r"no fused neurons .*not installed.*spikingjelly\[tri"):
        peers.choose_fused_neurons(torch.nn.Identity(), torch.device("cuda"), "fp32")
    implementation(monkeypatch, "torch")  # asked for by name
    said = peers.choose_fused_neurons(torch.nn.Identity(), torch.device("cuda"), "bf16")
    assert said == "reference"


def test_ratios_are_medians_over_rounds() -> None:
    turn = benchmark.Turn
    first = [turn(1.0, 9.0), turn(10.0, 8.0), turn(2.0, 8.0)]
    own = [turn(2.0, 3.0), turn(30.0, 4.0), turn(8.0, 2.0)]
    figure = benchmark.figure(benchmark.Candidate("ours", "", lambda: None), own, first)
    assert (figure["ratio"], figure["images_per_s"]) == (3.0, 8.0)
    assert (figure["lowest"], figure["highest"]) == (2.0, 30.0)
    assert (figure["cpu_ms"], figure["cpu_ratio"]) == (3.0, 3.0)


def test_a_turn_counts_images_of_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 0.0

        def perf_counter(self) -> float:
            return self.now

        def process_time(self) -> float:
            return 2 * self.now  # two threads

    clock, waited = Clock(), []
    monkeypatch.setattr(benchmark, "time", clock)
    monkeypatch.setattr(benchmark, "synchronise", lambda: waited.append(clock.now))

    def step() -> None:
        clock.now += 0.5

    found = benchmark.turn(step, benchmark.Options(batch=8, steps=4))
    assert found == benchmark.Turn(images_per_s=16.0, cpu_ms=125.0)
    assert waited == [0.0, 2.0]  # the device is waited for before and after


def test_the_table_shows_the_range_of_the_rounds() -> None:
    turn = benchmark.Turn
    turns = [turn(1.0, 8.0), turn(3.0, 10.0), turn(2.0, 9.0)]
    candidate = benchmark.Candidate("ours", "in place, fp32", lambda: None)
    cells = benchmark.table(benchmark.Options()).cells(benchmark.figure(candidate, turns, turns))
    assert cells == ["ours", "in place, fp32", "2.00", "1.00-3.00", "1.00", "9.0", "1.00"]
