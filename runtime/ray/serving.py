"""Ray Serve: the application of `runtime.serve` in replicas, as many as the queues ask for.

What `runtime.serve.guards` does to connections is the business of Serve's proxy here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.serve.options import KNOBS, ServeOptions, by_name
from spikehalt.errors import ConfigError
from spikehalt.extras import require_extra
from spikehalt.strict import build


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplicaOptions:
    """What `serve run spikehalt.ray:serve` takes, as KEY=VALUE or in the `args` of a config file.

    Attributes:
        bundles: paths, parted by commas, where every node finds them.
        policy, threshold, epsilon, max_timesteps: as for the engine.
        device: of the engine; `cuda` takes a GPU for each replica.
        threads: of the engine, and processors of a replica.
        max_batch: images computed together.
        queue: images that wait in a replica; more are refused.
        min_replicas: how many there are at least.
        max_replicas: and at most.
        target: requests under way in a replica, above which there are to be more; None: one full
            batch of them.
        upscale_delay_s: how long there have to be more, on average, before replicas are added.
        downscale_delay_s: and fewer, before one is taken away.
        token: what clients have to know; None: nothing.
    """

    bundles: str
    policy: str | None = None
    threshold: float | None = None
    epsilon: float | None = None
    max_timesteps: int | None = None
    device: str | None = None
    threads: int = 1
    max_batch: int = 64
    queue: int = 256
    min_replicas: int = 1
    max_replicas: int = 4
    target: float | None = None
    upscale_delay_s: float = 30.0
    downscale_delay_s: float = 600.0
    token: str | None = None

    def served(self) -> ServeOptions:
        """The same for the application."""
        engine = {name: getattr(self, name) for name in (*KNOBS, "device", "threads")}
        return ServeOptions(
            bundles=by_name([Path(each) for each in self.bundles.split(",")]),
            max_batch=self.max_batch,
            queue=self.queue,
            engine={name: value for name, value in engine.items() if value is not None},
            token=self.token,
        )


def serve(arguments: Mapping[str, Any]) -> Any:
    """The application for Ray Serve.

    Args:
        arguments: see `ReplicaOptions`; texts are read as YAML reads them.

    Raises:
        ConfigError: an argument is unknown or out of range.
        MissingExtraError: Ray Serve is not installed.
    """
    options = build(ReplicaOptions, {key: _value(key, text) for key, text in arguments.items()})
    served = options.served()
    ray_serve = require_extra("ray.serve", "ray", "serving on Ray")

    def create() -> Any:
        from runtime.serve.app import create_app

        return create_app(served)

    gpu = (options.device or "").startswith("cuda")
    deployment = ray_serve.deployment(
        ray_serve.ingress(create)(),
        name="spikehalt",
        ray_actor_options={"num_cpus": options.threads, "num_gpus": int(gpu)},
        max_ongoing_requests=options.max_batch + options.queue,
        autoscaling_config={
            "min_replicas": options.min_replicas,
            "max_replicas": options.max_replicas,
            "target_ongoing_requests": options.target or options.max_batch,
            "upscale_delay_s": options.upscale_delay_s,
            "downscale_delay_s": options.downscale_delay_s,
            "look_back_period_s": options.upscale_delay_s,
            "metrics_interval_s": options.upscale_delay_s / 3,
        },
    )
    return deployment.bind()


def _value(key: str, text: Any) -> Any:
    """What a text of the command line means, by the type of its field."""
    fields = {field.name: str(field.type) for field in dataclasses.fields(ReplicaOptions)}
    kind = fields.get(key, "str").partition(" ")[0]
    if not isinstance(text, str) or kind == "str":
        return text
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        raise ConfigError(f"{key} {text!r} is no number") from None
