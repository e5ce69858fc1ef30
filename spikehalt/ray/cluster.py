"""Connecting to Ray, for whatever of the project runs there."""

from __future__ import annotations

import logging
import os
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from spikehalt.errors import SpikehaltError
from spikehalt.extras import require_extra
from spikehalt.reading import reason

HERE = "here"


class ClusterError(SpikehaltError):
    """There is no Ray cluster at the address, or a task failed on it."""


def add_ray(parser: ArgumentParser) -> None:
    """The option that says where it runs."""
    parser.add_argument(
        "--ray", nargs="?", const=HERE, metavar="ADDRESS",
        help="run on Ray: the cluster at ADDRESS (HOST:6379, ray://HOST:10001 or auto), or one "
        "that is started on this machine",
    )  # fmt: skip


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster, until the block ends; one that is connected already stays so.

    Args:
        address: of the cluster; `HERE` starts one on this machine.

    Raises:
        ClusterError: there is none.
        MissingExtraError: Ray is not installed.
    """
    ray = require_extra("ray", "ray", "running on Ray")
    if ray.is_initialized():
        yield ray
        return
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else C++ warns on stderr
    where: dict[str, Any] = (
        {"include_dashboard": False} if address == HERE else {"address": address}
    )
    try:
        ray.init(**where, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ClusterError(
            f"no Ray cluster at {address} ({reason(error)}): start one with `ray start --head`, or "
            "leave the address out"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def go_to(folder: str) -> None:
    """Let a process of the cluster find what is named from the folder of the command, if it can."""
    with suppress(OSError):  # another machine may have no such folder
        os.chdir(folder)
