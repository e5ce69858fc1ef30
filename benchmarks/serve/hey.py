"""The load generator `hey`, and the requests that it sends."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikehalt.errors import ConfigError


@dataclass(frozen=True)
class Load:
    """What `hey` found: requests by status, their rate, and their times."""

    statuses: dict[int, int]
    requests_per_s: float
    p10_ms: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Body:
    """A request: its bytes, and the length of its JSON; 0: it is JSON alone."""

    path: Path
    json_length: int


def write_body(path: Path, images: NDArray[np.uint8], parameters: dict[str, Any]) -> Body:
    """A request for images, answered with labels and timesteps as bytes."""
    tensor = {
        "name": "image", "shape": list(images.shape), "datatype": "UINT8",
        "parameters": {"binary_data_size": images.nbytes},
    }  # fmt: skip
    outputs = [{"name": name} for name in ("label", "timesteps")]
    asked = {"binary_data_output": True, **parameters}
    text = json.dumps({"inputs": [tensor], "outputs": outputs, "parameters": asked}).encode()
    path.write_bytes(text + images.tobytes())
    return Body(path, len(text))


def run_hey(url: str, body: Body, clients: int, *amount: str) -> Load:
    """Send a request again and again.

    Args:
        url: of a model's `infer`.
        body: of every request.
        clients: at once.
        *amount: of `hey`: `-n` and a count, or `-z` and a duration.

    Raises:
        ConfigError: `hey` is not installed, or failed.
    """
    program = shutil.which("hey")
    if program is None:
        raise ConfigError("the load is made by hey: apt-get install hey")
    command = [program, *amount, "-c", str(clients), "-m", "POST", "-t", "60", "-D", str(body.path)]
    kind = ["-T", "application/json"]
    if body.json_length:
        length = f"Inference-Header-Content-Length: {body.json_length}"
        kind = ["-T", "application/octet-stream", "-H", length]
    done = subprocess.run([*command, *kind, url], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"hey failed: {done.stderr.strip()[-300:]}")
    return read_report(done.stdout)


def read_report(text: str) -> Load:
    """What `hey` prints.

    Raises:
        ConfigError: it is not what was expected.
    """
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    times = {int(at): float(s) for at, s in re.findall(r"(\d+)% in ([\d.]+) secs", text)}
    statuses = {int(code): int(n) for code, n in re.findall(r"\[(\d{3})\]\s+(\d+) responses", text)}
    if rate is None or not times:
        raise ConfigError(f"hey's report is not understood: {text[:300]!r}")
    # Of few requests it gives no higher percentiles.
    p10, p50, p99 = (1e3 * times.get(at, max(times.values())) for at in (10, 50, 99))
    return Load(statuses, float(rate[1]), p10, p50, p99)
