"""What a server is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.early_exit.submit import MAX_WAITING
from spikehalt.errors import ConfigError

BUNDLE_SUFFIX = ".bundle"
KNOBS = ("policy", "threshold", "epsilon", "max_timesteps")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one client may cost the others.

    Attributes:
        body_bytes: of a request.
        pixels: width × height of an image file, before it is scaled.
        header_bytes: of a request's line and headers, at least 8192.
        header_s: until the headers are there.
        body_s: until the body is there.
        connections: at once, per worker; further ones wait to be accepted.
    """

    body_bytes: int = 16 * 2**20
    pixels: int = 2**24
    header_bytes: int = 32 * 2**10
    header_s: float = 10.0
    body_s: float = 30.0
    connections: int = 256


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """What a server is told; can be pickled for its workers.

    Attributes:
        bundles: folders, by the name under which each is served.
        max_batch: images computed together.
        queue: images that wait at most; more are refused with 503.
        engine: further arguments of `runtime.Engine`.
        limits: what one client may cost the others.
        token: what clients have to know; None: nothing.
        poll_s: how often bundles are looked at for having been replaced.

    Raises:
        ConfigError: a number is out of range.
    """

    bundles: dict[str, Path]
    max_batch: int = 64
    queue: int = 256
    engine: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    token: str | None = None
    poll_s: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.queue <= MAX_WAITING - self.max_batch:
            raise ConfigError(
                f"queue {self.queue} is not in 0..{MAX_WAITING - self.max_batch} (with max_batch "
                f"{self.max_batch})"
            )


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where a server listens, and to whom.

    Attributes:
        host: address or name.
        port: 0 takes a free one.
        workers: processes, each of which opens every bundle.
        certificate: PEM file; None: plain HTTP.
        key: its private key.
        client_ca: PEM file of the authority whose clients alone are served (mutual TLS).
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None


def by_name(bundles: list[Path]) -> dict[str, Path]:
    """Folders by the name under which each is served: the folder's, without `.bundle`.

    Raises:
        ConfigError: two have the same name.
    """
    named: dict[str, Path] = {}
    for path in bundles:
        name = path.absolute().name.removesuffix(BUNDLE_SUFFIX)
        if name in named:
            raise ConfigError(
                f"{named[name]} and {path} would both be served as {name!r}: rename one folder"
            )
        named[name] = path
    return named
