"""A run that is trained once: found finished, resumed where it stopped, or trained."""

from __future__ import annotations

from pathlib import Path

from spikehalt.errors import ConfigError
from spikehalt.strict import build, to_dict
from train.checkpoint import Checkpoint, load_checkpoint
from train.config import TrainConfig
from train.loop.run import resume, run
from train.loop.starting import PHASES, has_static_behind


def train_once(config: TrainConfig, start: Checkpoint | None = None) -> Path:
    """The checkpoint of the run's last phase, in `config.out`.

    Args:
        config: the run.
        start: lends its weights to the phases after its own.

    Raises:
        ConfigError: `config.out` holds a run of other settings.
        TrainError: as `train.loop.run.run` raises.
    """
    out = Path(config.out)
    finished = out / ("halting.pt" if config.halting.epochs else "static.pt")
    if finished.exists():
        _check_settings(finished, config, start)
        return finished
    last = out / "last.pt"
    if last.exists():
        _check_settings(last, config, start)
        result = resume(last)
    else:
        result = run(config, start=start)
    return list(result.checkpoints.values())[-1]


def _check_settings(path: Path, config: TrainConfig, start: Checkpoint | None) -> None:
    """Refuse a checkpoint that another configuration left where this one's belongs.

    A phase that this configuration leaves out, or that is behind the start, is recorded with the
    settings of the run it started from.
    """
    stored, asked = to_dict(build(TrainConfig, load_checkpoint(path).run)), to_dict(config)
    left_out = {name for name in PHASES if asked[name]["epochs"] == 0}
    left_out |= {"static"} if start is not None and has_static_behind(start) else set()
    compared = asked.keys() - left_out - {"out"}
    differing = sorted(key for key in compared if stored[key] != asked[key])
    if differing:
        raise ConfigError(
            f"{path} is of a run with another {', '.join(differing)}: train into another --out"
        )
