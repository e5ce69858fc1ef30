from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.adapt import command
from spikehalt.errors import ConfigError
from tests.train.samples import quick_run
from train.loop.run import run

METHODS = ("static", "random", "fixed, by activity", "STATA-like", "forecasts", "trained halting")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints by phase."""
    config = quick_run(tmp_path_factory.mktemp("trained"), model={"depth": 3})
    return {phase: Path(path) for phase, path in run(config).checkpoints.items()}


def test_all_methods_stand_in_one_table_and_one_figure(
    trained: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, figure = tmp_path / "out", tmp_path / "curve.svg"
    options = ["--static", str(trained["static"]), "--halting", str(trained["halting"])]
    options += ["--images", "40", "--epsilon", "0.9", "--count", "32", "--figure", str(figure)]
    assert command.main([*options, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert all(words in said for words in METHODS) and "spikformer-3-" in said
    assert figure.stat().st_size > 1000
    (folder,) = out.iterdir()
    found = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    assert found["static"]["tokens"] == 1 and found["static"]["ms"] > 0
    assert all(len(point["labels"]) == 40 for point in found.values())
    for kind in ("random", "activity", "anchor"):
        # Of four tokens, each of which is a sixth of the share.
        tokens = found[f"{kind}-0.9"]["tokens"]
        assert tokens == pytest.approx(found["forecast-0.9"]["tokens"], abs=0.1)


def test_finished_points_are_not_measured_again(
    trained: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = command.name_of(command.load_checkpoint(trained["static"]))
    (tmp_path / network).mkdir()
    for name in ("static", "forecast-0.5", "random-0.5", "activity-0.5", "anchor-0.5"):
        stored = {"labels": [0, 1, 2], "tokens": 0.25, "ms": 1.5}
        (tmp_path / network / f"{name}.json").write_text(json.dumps(stored))
    options = ["--static", str(trained["static"]), "--images", "3", "--epsilon", "0.5"]
    assert command.main([*options, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "0.250" in said and "100.00%" in said and "+0.00 ± 0.00" in said


def test_networks_that_would_share_a_folder_are_refused(trained: dict[str, Path]) -> None:
    static = str(trained["static"])
    with pytest.raises(ConfigError, match=r"a second spikformer-3-\d+: compare it with an --out"):
        command.read_networks([static, static])


def test_a_trained_network_without_its_static_one_is_refused(trained: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="no form of a --static network; those are other-2-8"):
        command.match(
            [str(trained["halting"])], {"other-2-8": command.load_checkpoint(trained["static"])}
        )
