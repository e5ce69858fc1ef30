"""What an engine is made of: its arguments checked, its bundle and its backend opened."""

from __future__ import annotations

import os

from runtime.backends import registry
from runtime.backends.base import Session, SessionOptions
from runtime.bundle import Bundle, Key, Manifest, PathLike
from runtime.sensors import EnergySensor, open_sensor, sensor_names
from spikehalt.errors import ConfigError
from spikehalt.strict import unknown_name

MAX_THREADS = 1024  # no library starts more, and trying exhausts the machine


def open_source(
    bundle: PathLike | Bundle | Manifest, public_key: Key | None, min_release: int | None = None
) -> Bundle | Manifest:
    """The bundle, or the manifest alone, that an engine was given.

    Raises:
        BundleError: the bundle cannot be used.
        ConfigError: a key for a bundle that is open already.
    """
    if isinstance(bundle, Bundle | Manifest):
        if public_key is not None or min_release is not None:
            raise ConfigError(
                "public_key and min_release are checked while opening: pass the bundle's path"
            )
        return bundle
    # Each backend reads, and thereby verifies, exactly the files it uses.
    return Bundle.open(bundle, verify=False, public_key=public_key, min_release=min_release)


def open_session(
    backend: str | Session, source: Bundle | Manifest, options: SessionOptions
) -> Session:
    """A loaded backend: the one given, or the one of that name.

    Raises:
        ConfigError: a name nobody knows, or a manifest without a session.
        BackendError: the backend cannot run the bundle here.
    """
    if not isinstance(backend, str):
        return backend
    if isinstance(source, Manifest):
        raise ConfigError("a manifest alone has no graphs: pass backend=ReplaySession(...) with it")
    return registry.open_session(backend, source, options)


def check_positive(name: str, value: int) -> int:
    """An integer of at least 1.

    Raises:
        ConfigError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} must be a positive integer, not {value!r}")
    return value


def check_threads(threads: int) -> None:
    """Refuse more threads than any machine has.

    Raises:
        ConfigError: `threads` is not in 1..`MAX_THREADS`.
    """
    if check_positive("threads", threads) > MAX_THREADS:
        raise ConfigError(
            f"threads {threads} is more than {MAX_THREADS}: pass at most the number of processors "
            f"({os.cpu_count()} here), or None to let the backend choose"
        )


def check_sensor(asked: str | EnergySensor | None) -> None:
    """Refuse a sensor's name that nobody knows, before anything is loaded.

    Raises:
        ConfigError: with the nearest name.
    """
    if isinstance(asked, str) and asked not in sensor_names():
        raise ConfigError(unknown_name("energy sensor", asked, sensor_names()))


def choose_sensor(asked: str | EnergySensor | None, device: str) -> EnergySensor | str:
    """The sensor asked for, or why energy is not measured."""
    if asked is None:
        return "no sensor was asked for: Engine(…, energy_sensor='auto')"
    return open_sensor(asked, device) if isinstance(asked, str) else asked
