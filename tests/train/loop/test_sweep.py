from __future__ import annotations

from pathlib import Path

import pytest

from spikehalt.errors import ConfigError
from tests.train.samples import quick_run
from train.checkpoint import load_checkpoint
from train.loop import once as module
from train.loop.sweep import parse_axis, sweep


def test_an_axis_is_a_key_and_values_of_their_types() -> None:
    axis = parse_axis("a.b=1e-3,2,true,null,isps,-0.5")
    assert axis.key == "a.b" and axis.values == (1e-3, 2, True, None, "isps", -0.5)


@pytest.mark.parametrize("text", ["a", "a=", "=3"])
def test_what_is_no_axis_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="must be KEY=VALUE"):
        parse_axis(text)


def test_every_combination_is_trained_once_and_the_static_phase_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    def counted(config, *, start=None):  # type: ignore[no-untyped-def]
        trained.append(Path(config.out).name)
        return original(config, start=start)

    original = module.run
    monkeypatch.setattr(module, "run", counted)
    axes = [parse_axis("halting.ponder_weight=0.01,0.1"), parse_axis("model.halting.beta=-3,-1")]
    points = list(sweep(quick_run(tmp_path), axes))
    assert trained[0] == "static" and len(trained) == 5
    assert trained[1] == "halting.ponder_weight=0.01,model.halting.beta=-3"
    for point in points:
        stored = load_checkpoint(point.checkpoint)
        assert stored.run["halting"]["ponder_weight"] == point.values["halting.ponder_weight"]
        assert stored.model.halting.beta == point.values["model.halting.beta"]
        assert point.average_tokens == stored.metrics["average_tokens"]
    assert points[1].average_tokens < points[0].average_tokens
    lines = (tmp_path / "sweep.csv").read_text().splitlines()
    assert len(lines) == 5 and lines[0].startswith("halting.ponder_weight,model.halting.beta,")
    again = list(sweep(quick_run(tmp_path), axes))
    assert again == points and len(trained) == 5


def test_a_key_that_does_not_exist_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    axes = [parse_axis("model.halting.bta=1,2")]
    with pytest.raises(ConfigError, match="unknown key 'bta'; did you mean 'beta'"):
        next(sweep(quick_run(tmp_path), axes))
    assert not list(tmp_path.iterdir())
