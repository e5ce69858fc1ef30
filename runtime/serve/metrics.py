"""What Prometheus collects of a server; with several workers, the sum over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from runtime.results.result import Result
from runtime.results.stats import Stats

CONTENT_TYPE = CONTENT_TYPE_LATEST
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # read when prometheus_client is imported
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_TIMESTEPS = (1, 2, 3, 4, 6, 8, 12, 16)
_SHARES = tuple(n / 10 for n in range(1, 11))


class Metrics:
    """Counters of one worker."""

    def __init__(self) -> None:
        here = self.registry = CollectorRegistry()
        by_model = ["model"]
        self.requests = Counter(
            "spikehalt_requests", "Requests by HTTP status.", ["model", "status"], registry=here
        )
        self.refused = Counter(
            "spikehalt_refused", "Requests refused early.", ["model", "reason"], registry=here
        )
        self.seconds = Histogram(
            "spikehalt_request_seconds", "From request to answer.", by_model, buckets=_SECONDS,
            registry=here,
        )  # fmt: skip
        self.waiting = Gauge(
            "spikehalt_waiting_images", "Images without an answer yet.", by_model,
            multiprocess_mode="livesum", registry=here,
        )  # fmt: skip
        self.batches = Histogram(
            "spikehalt_batch_images", "Images computed together.", by_model, buckets=_IMAGES,
            registry=here,
        )  # fmt: skip
        self.timesteps = Histogram(
            "spikehalt_timesteps", "Timesteps of an image.", by_model, buckets=_TIMESTEPS,
            registry=here,
        )  # fmt: skip
        self.tokens = Histogram(
            "spikehalt_tokens", "Live tokens over all tokens, of an image.", by_model,
            buckets=_SHARES, registry=here,
        )  # fmt: skip
        self.energy = Counter(
            "spikehalt_energy_estimated_millijoules", "Estimated energy.", by_model, registry=here
        )
        self.measured = Gauge(
            "spikehalt_energy_measured_millijoules_per_image",
            "By the sensor, idle time included; absent without one.", by_model,
            multiprocess_mode="livemostrecent", registry=here,
        )  # fmt: skip
        self.reloads = Counter(
            "spikehalt_reloads", "Bundles opened anew.", ["model", "outcome"], registry=here
        )

    def batch(self, model: str, result: Result) -> None:
        """Count a batch that was answered."""
        self.batches.labels(model).observe(len(result))
        timesteps, tokens = self.timesteps.labels(model), self.tokens.labels(model)
        for steps, share in zip(result.timesteps, result.average_tokens, strict=True):
            timesteps.observe(float(steps))
            tokens.observe(float(share))
        if result.energy_mj is not None:
            self.energy.labels(model).inc(float(result.energy_mj.sum()))

    def page(self, stats: Iterable[tuple[str, Callable[[], Stats]]]) -> bytes:
        """The page that Prometheus reads.

        Args:
            stats: names of models, and the running figures of their engines.
        """
        for name, read in stats:
            energy = read().energy_measured_mj
            if energy is not None:
                self.measured.labels(name).set(energy)
        if FOLDER_VARIABLE not in os.environ:
            return generate_latest(self.registry)
        _forget_dead_workers(Path(os.environ[FOLDER_VARIABLE]))
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)
        return generate_latest(together)


def _forget_dead_workers(folder: Path) -> None:
    """What was waiting in a worker that died waits no more; its counts remain."""
    workers = {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*.db")}
    for worker in workers - {os.getpid()}:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            multiprocess.mark_process_dead(worker)
