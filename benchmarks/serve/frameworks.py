"""What a request costs in each server that could have been taken: processor time, in turn.

    python -m benchmarks.serve.frameworks
    python -m benchmarks.serve.frameworks --python other/bin/python     one that has more of them

A request of 3 KiB is read as a tensor and answered with one label; nothing is computed. Each server
is one worker in a process of its own, of the first given Python that has its packages; `hey` sends
2,000 requests by 8 clients in a round. Where a row says JSON, the server knows no other form.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.common import command_line
from benchmarks.common.table import Row, Table, number, words
from benchmarks.serve.hey import Body, run_hey, write_body
from spikehalt.commands import run as run_command
from spikehalt.commands import whole

PATH = "/v2/models/m/infer"
REQUESTS, CLIENTS, START_S, STOP_S = 2000, 8, 90, 20
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")

_STARLETTE = """
import json, sys
import numpy as np
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
BODY = json.dumps({"outputs": [{"name": "label", "shape": [1], "datatype": "INT64", "data": [3]}]})
async def infer(request):
    raw = await request.body()
    length = int(request.headers.get("inference-header-content-length", 0))
    head = json.loads(raw[:length] if length else raw)
    data = head["inputs"][0].get("data")
    np.frombuffer(raw, np.uint8, offset=length) if data is None else np.array(data, np.uint8)
    return Response(BODY, media_type="application/json")
app = Starlette(routes=[Route("/v2/models/m/infer", infer, methods=["POST"])])
"""
_FASTAPI = f"""{_STARLETTE}
from fastapi import FastAPI, Request
async def typed(request: Request):
    return await infer(request)
app = FastAPI()
app.post("/v2/models/m/infer")(typed)
"""
_UVICORN = """
import uvicorn
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), http="{http}", loop="{loop}",
            access_log=False, log_level="error")
"""
_GRANIAN = f"""{_STARLETTE}
if __name__ == "__main__":
    from granian import Granian
    Granian(__file__ + ":app", address="127.0.0.1", port=int(sys.argv[1]), interface="asgi",
            loop="asyncio", log_level="error",
            ).serve(target_loader=lambda *_: app, wrap_loader=False)
"""
_LITSERVE = """
import sys
import litserve
class Api(litserve.LitAPI):
    def setup(self, device): pass
    def decode_request(self, request): return request
    def predict(self, x): return 3
    def encode_response(self, y):
        return {"outputs": [{"name": "label", "shape": [1], "datatype": "INT64", "data": [y]}]}
if __name__ == "__main__":
    server = litserve.LitServer(Api(api_path="/v2/models/m/infer"), accelerator="cpu",
                                workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False,
               log_level="error", num_api_servers=1)
"""
_KSERVE = """
import sys
import numpy as np
from kserve import InferOutput, InferResponse, Model, ModelServer
class Label(Model):
    def __init__(self):
        super().__init__("m")
        self.ready = True
    async def predict(self, payload, headers=None, response_headers=None):
        payload.inputs[0].as_numpy()
        label = InferOutput("label", [1], "INT64")
        label.set_data_from_numpy(np.array([3]), binary_data=False)
        return InferResponse("1", "m", [label])
if __name__ == "__main__":
    ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, workers=1,
                access_log_format=None).start([Label()])
"""


class Candidate(NamedTuple):
    """A server: the packages it needs, its program, and whether it reads the binary form."""

    packages: str
    program: str
    binary: bool = True


def _uvicorn(app: str, http: str, loop: str = "asyncio") -> str:
    return app + _UVICORN.format(http=http, loop=loop)


CANDIDATES = {
    "Starlette, uvicorn, httptools": Candidate(
        "starlette uvicorn httptools", _uvicorn(_STARLETTE, "httptools")
    ),
    "Starlette, uvicorn, httptools, uvloop": Candidate(
        "starlette uvicorn httptools uvloop", _uvicorn(_STARLETTE, "httptools", "uvloop")
    ),
    "Starlette, uvicorn, h11": Candidate("starlette uvicorn h11", _uvicorn(_STARLETTE, "h11")),
    "FastAPI, uvicorn, httptools": Candidate(
        "fastapi uvicorn httptools", _uvicorn(_FASTAPI, "httptools")
    ),
    "Starlette, Granian": Candidate("starlette granian", _GRANIAN),
    "KServe": Candidate("kserve", _KSERVE),
    "Starlette, uvicorn, httptools, JSON": Candidate(
        "starlette uvicorn httptools", _uvicorn(_STARLETTE, "httptools"), binary=False
    ),
    "LitServe, JSON": Candidate("litserve", _LITSERVE, binary=False),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = command_line.parser("benchmarks.serve.frameworks", __doc__)
    parser.add_argument("--python", nargs="+", default=[], metavar="FILE", help="of environments")
    parser.add_argument("--rounds", type=whole(1), default=3)
    options = parser.parse_args(argv)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running: dict[str, Running] = {}
        rows = []
        for name, candidate in CANDIDATES.items():
            python = _python_with(candidate.packages, [sys.executable, *options.python])
            if python is None:
                rows.append(Row(name, failed=f"no given Python has {candidate.packages}"))
            else:
                running[name] = Running(python, candidate, folder / f"{len(running)}.py")
                stack.callback(running[name].stop)
        table().print([*_measured(running, _bodies(folder), options.rounds), *rows])
    return 0


class Running:
    """A candidate's server in a process group of its own."""

    def __init__(self, python: str, candidate: Candidate, file: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        file.write_text(candidate.program)
        self.binary, self._log = candidate.binary, file.with_suffix(".log").open("w")
        self._process = subprocess.Popen(
            [python, str(file), str(self.port)], cwd=file.parent, start_new_session=True,
            stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def wait(self) -> None:
        """Until it takes connections."""
        begin = time.monotonic()
        while time.monotonic() - begin < START_S:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.2)

    @property
    def cpu_s(self) -> float:
        """Processor time of all its processes so far."""
        total = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rsplit(")", 1)[1].split()
            except OSError:  # it has just ended
                continue
            if int(fields[3]) == self._process.pid:  # of its session
                total += int(fields[11]) + int(fields[12])
        return total * _TICK_S

    def stop(self) -> None:
        """End it and what it started."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, how)
                self._process.wait(STOP_S)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self._log.close()


def _python_with(packages: str, pythons: Sequence[str]) -> str | None:
    """The first Python that can import packages."""
    imports = f"import {packages.replace(' ', ', ')}"
    calls = ((each, [each, "-c", imports]) for each in pythons)
    found = (
        each for each, call in calls if subprocess.run(call, capture_output=True).returncode == 0
    )
    return next(found, None)


def _bodies(folder: Path) -> dict[bool, Body]:
    """The request in both forms, by whether it is the binary one."""
    images = np.zeros((1, 32, 32, 3), np.uint8)
    tensor = {"name": "image", "shape": list(images.shape), "datatype": "UINT8"}
    text = json.dumps({"inputs": [{**tensor, "data": images.ravel().tolist()}]})
    (folder / "json").write_text(text)
    plain = Body(folder / "json", 0)
    return {True: write_body(folder / "binary", images, {}), False: plain}


def _measured(running: dict[str, Running], bodies: dict[bool, Body], rounds: int) -> list[Row]:
    for each in running.values():
        each.wait()
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in running}
    for _ in range(rounds + 1):
        for name, server in running.items():
            before_s = server.cpu_s
            url = f"http://127.0.0.1:{server.port}{PATH}"
            load = run_hey(url, bodies[server.binary], CLIENTS, "-n", str(REQUESTS))
            assert load.statuses == {200: REQUESTS}, (name, load)
            used_us = 1e6 * (server.cpu_s - before_s) / REQUESTS
            measured[name].append({"cpu_us": used_us, "requests_per_s": load.requests_per_s})
    return [
        Row(name, {key: statistics.median(each[key] for each in found[1:]) for key in found[0]})
        for name, found in measured.items()
    ]


def table() -> Table:
    """The table of all servers."""
    time_us = number("CPU µs/request", "cpu_us", ".0f")
    return Table("Servers that could be taken", [words("server"), time_us,
                 number("requests/s", "requests_per_s", ".0f")])  # fmt: skip


if __name__ == "__main__":
    sys.exit(run_command(main))
