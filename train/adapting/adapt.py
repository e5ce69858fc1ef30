"""From the checkpoint of a network without halting to one whose tokens halt."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from spikehalt.errors import ConfigError
from train.adapting.calibrate import Calibrated, calibrate
from train.adapting.fit import adaptable, fit_forecasts
from train.checkpoint import Checkpoint
from train.data.base import Split
from train.measure.firing_rates import measure_firing_rates
from train.parallel.devices import best_device


@dataclass(frozen=True)
class Adapted:
    """A checkpoint whose tokens halt.

    Attributes:
        checkpoint: as exported and evaluated like any other.
        found: what it does to the images.
    """

    checkpoint: Checkpoint
    found: Calibrated


def adapt(checkpoint: Checkpoint, images: Split, tokens: float) -> Adapted:
    """Fit and calibrate.

    Args:
        checkpoint: of a network without halting, merging and dropping.
        images: to fit to; their labels are not looked at.
        tokens: live tokens over all tokens, averaged over blocks and timesteps, to aim at.

    Raises:
        ConfigError: tokens of this network halt or merge already, or cannot.
        TrainError: so few tokens cannot be had.
    """
    if checkpoint.model != checkpoint.model.static():
        raise ConfigError(
            "tokens of this network halt, merge or are dropped already; `adapt` takes the network "
            "from before that, such as a static.pt"
        )
    device = best_device()
    static, pixels = checkpoint.network().to(device), images.images.to(device)
    network = adaptable(static).to(device)
    entered = fit_forecasts(static, network, pixels)
    found = calibrate(network, entered, tokens)
    rates = measure_firing_rates(network, images.to(device))
    metrics = {"adapted": {**asdict(found), "images": len(images)}, "firing_rates": rates}
    adapted = replace(
        checkpoint,
        model=network.config,
        weights={name: weight.cpu() for name, weight in network.state_dict().items()},
        phase="halting",
        metrics=metrics,
        training=None,
    )
    return Adapted(adapted, found)
