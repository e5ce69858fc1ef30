"""What an engine is made of: its arguments checked, its bundle and its backend opened."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from runtime.backends import registry
from runtime.backends.base import Session, SessionOptions
from runtime.bundle import Bundle, Key, Manifest, PathLike
from runtime.early_exit.settings import whole_number
from runtime.sensors import EnergySensor, open_sensor, sensor_names
from spikehalt.errors import ConfigError
from spikehalt.strict import unknown_name

logger = logging.getLogger(__name__)

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
        _check_parts("backend", backend, ("info", "run", "close"), "a name or a loaded Session")
        return backend
    if isinstance(source, Manifest):
        raise ConfigError("a manifest alone has no graphs: pass backend=ReplaySession(...) with it")
    return registry.open_session(backend, source, options)


def check_positive(name: str, value: int) -> int:
    """An integer of at least 1.

    Raises:
        ConfigError: it is not.
    """
    number = whole_number(value)
    if number is None or number < 1:
        raise ConfigError(f"{name} must be a positive integer, not {value!r}")
    return number


def processors() -> int:
    """How many processors this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def bounded_threads(threads: int) -> int:
    """So many threads, and no more than processors: they would wait for each other.

    Raises:
        ConfigError: `threads` is not in 1..`MAX_THREADS`.
    """
    threads = check_positive("threads", threads)
    if threads > MAX_THREADS:
        raise ConfigError(
            f"threads {threads} is more than {MAX_THREADS}: pass at most the number of processors "
            f"({processors()} here), or None to let the backend choose"
        )
    notice = threads_notice(threads)
    if notice:
        logger.warning(notice)
    return min(threads, processors())


def threads_notice(threads: int | None) -> str:
    """What to tell who asked for more threads than there are processors; empty otherwise."""
    here = processors()
    if threads is None or threads <= here:
        return ""
    return f"{threads} threads were asked for, {here} run: so many processors may be used here"


def check_sensor(asked: str | EnergySensor | None) -> None:
    """Refuse a sensor's name that nobody knows, before anything is loaded.

    Raises:
        ConfigError: with the nearest name.
    """
    if isinstance(asked, str) and asked not in sensor_names():
        raise ConfigError(unknown_name("energy sensor", asked, sensor_names()))
    if asked is not None and not isinstance(asked, str):
        parts = ("name", "min_window_s", "energy_mj", "close")
        _check_parts("energy_sensor", asked, parts, "None, a name or a sensor")


def _check_parts(name: str, thing: object, parts: Sequence[str], wanted: str) -> None:
    if not all(hasattr(thing, part) for part in parts):
        raise ConfigError(f"{name} must be {wanted}, not {type(thing).__name__}")


def check_options(device: object, spin: object, native_ops: object) -> None:
    """Refuse what is no name and no yes or no.

    Raises:
        ConfigError: it is named.
    """
    if device is not None and not isinstance(device, str):
        raise ConfigError(f"device must be None or a name, such as 'cpu', not {device!r}")
    for name, value, wanted in (
        ("spin", spin, (True, False)),
        ("native_ops", native_ops, (True, False, None)),
    ):
        if not (value is None or isinstance(value, bool)) or value not in wanted:
            raise ConfigError(f"{name} must be one of {wanted}, not {value!r}")


def choose_sensor(asked: str | EnergySensor | None, device: str) -> EnergySensor | str:
    """The sensor asked for, or why energy is not measured."""
    if asked is None:
        return "no sensor was asked for: Engine(…, energy_sensor='auto')"
    return open_sensor(asked, device) if isinstance(asked, str) else asked
