"""The load generator `wrk`, for the time of single requests.

It tells microseconds, where `hey` rounds to tenths of a millisecond, and takes less time itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.serve.hey import Body, Load
from spikehalt.errors import ConfigError

_SCRIPT = """
local file = io.open({path}, "rb")
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.headers["Inference-Header-Content-Length"] = "{json_length}"
function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '{{"requests": %d, "us": %d, "failed": %d, "p10_us": %f, "p50_us": %f, "p99_us": %f}}\\n',
    summary.requests, summary.duration,
    failed.connect + failed.read + failed.write + failed.status + failed.timeout,
    latency:percentile(10), latency:percentile(50), latency:percentile(99)))
end
"""


def run_wrk(url: str, body: Body, seconds: int) -> Load:
    """Let one client send a binary request again and again, each when the last was answered.

    Args:
        url: of a model's `infer`.
        body: of every request.
        seconds: for how long.

    Raises:
        ConfigError: `wrk` is not installed or failed, or a request was not answered with 200.
    """
    program = shutil.which("wrk")
    if program is None:
        raise ConfigError("single requests are timed by wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        path = json.dumps(str(body.path))
        script.write_text(_SCRIPT.format(path=path, json_length=body.json_length))
        command = [program, "-t", "1", "-c", "1", "-d", f"{seconds}s", "-s", str(script), url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"wrk failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return read_report(done.stdout)


def read_report(text: str) -> Load:
    """What the script prints behind wrk's own report.

    Raises:
        ConfigError: a request failed.
    """
    told = json.loads(text.splitlines()[-1])
    if told["failed"]:
        raise ConfigError(f"{told['failed']} of {told['requests']} requests failed")
    return Load(
        statuses={200: told["requests"]},
        requests_per_s=1e6 * told["requests"] / told["us"],
        p10_ms=told["p10_us"] / 1e3,
        p50_ms=told["p50_us"] / 1e3,
        p99_ms=told["p99_us"] / 1e3,
    )
