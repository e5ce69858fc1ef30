"""Where and how a report's figures were measured."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone

from runtime.engine import Engine


def conditions(engine: Engine, batch: int) -> list[tuple[str, str]]:
    """Names and values: machine, backend, threads, native ops, batch, date."""
    info = engine.info
    rows = [
        ("machine", f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"),
        ("backend", f"{info.name} {info.version} on {info.device}"),
        *((name, str(value)) for name, value in info.options.items()),
        ("batch", f"{batch} images at once"),
        ("date", datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
    ]
    return rows
