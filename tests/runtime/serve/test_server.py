"""A real server, asked by clients that nobody here wrote."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine, Result
from tests.runtime.serve.conftest import write_toy
from tests.runtime.serve.server import RunningServer

pytest.importorskip("tritonclient.http", reason="pip install tritonclient[http] is needed")

import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

Images = NDArray[np.uint8]
EXIT: dict[str, Any] = {"policy": "halting", "threshold": 1.5}


@pytest.fixture(scope="module")
def many() -> Images:
    """Random images, all different."""
    return np.random.default_rng(7).integers(0, 256, (400, 4, 4, 3), np.uint8)


@pytest.fixture(scope="module")
def expected(folder: Path, many: Images) -> Result:
    with Engine(folder / "toy.bundle", **EXIT) as engine:
        return engine(many)


def tensor(images: Images, binary: bool = True) -> list[Any]:
    """The input of a request."""
    port = triton.InferInput("image", images.shape, "UINT8")
    port.set_data_from_numpy(images, binary_data=binary)
    return [port]


def assert_equal(answer: Any, expected: Result, start: int, stop: int) -> None:
    """An answer is the engine's own for the same images."""
    part = expected.part(start, stop)
    np.testing.assert_array_equal(answer.as_numpy("label"), part.labels)
    np.testing.assert_array_equal(answer.as_numpy("timesteps"), part.timesteps)
    np.testing.assert_allclose(answer.as_numpy("logits"), part.logits, rtol=1e-5)
    names = answer.as_numpy("name")  # bytes, or from JSON text
    assert [each.decode() if isinstance(each, bytes) else each for each in names] == [*part.names]


def test_tritonclient_finds_everything(server: RunningServer) -> None:
    with triton.InferenceServerClient(server.address) as client:
        assert client.is_server_live() and client.is_server_ready()
        assert client.is_model_ready("toy") and not client.is_model_ready("nobody")
        assert client.get_server_metadata()["name"] == "spikehalt"
        (version,) = client.get_model_metadata("other")["versions"]
        assert client.is_model_ready("other", version) and not client.is_model_ready("other", "1")


@pytest.mark.parametrize("binary_in", [False, True])
@pytest.mark.parametrize("binary_out", [False, True])
def test_tritonclient_asks_in_json_and_bytes(
    server: RunningServer, many: Images, expected: Result, binary_in: bool, binary_out: bool
) -> None:
    names = ("label", "name", "timesteps", "logits")
    outputs = [triton.InferRequestedOutput(each, binary_data=binary_out) for each in names]
    with triton.InferenceServerClient(server.address) as client:
        answer = client.infer("toy", tensor(many[:9], binary_in), outputs=outputs, request_id="x")
        assert_equal(answer, expected, 0, 9)
        assert answer.get_response()["id"] == "x"
        assert (answer.get_output("label").get("data") is None) == binary_out


def test_tritonclient_is_told_what_is_wrong(server: RunningServer, many: Images) -> None:
    wrong: list[tuple[str, Any, dict[str, Any], str, str]] = [
        ("nobody", many[:1], {}, "404", "unknown model"),
        ("toy", many[:1, :2], {}, "400", "this bundle takes"),
        ("toy", many[:1], {"parameters": {"policy": "magic"}}, "400", "unknown exit policy"),
        ("toy", many[:1], {"parameters": {"max_timesteps": 9}}, "400", "max_timesteps 9"),
        ("toy", many[:1], {"parameters": {"latency_ms": 1e-3}}, "503", "too late"),
        ("toy", many[:1], {"request_compression_algorithm": "gzip"}, "415", "compression"),
    ]
    with triton.InferenceServerClient(server.address) as client:
        for model, images, more, status, sentence in wrong:
            with pytest.raises(InferenceServerException, match=sentence) as told:
                client.infer(model, tensor(images), **more)
            assert told.value.status() == status
        assert len(client.infer("toy", tensor(many[:2])).as_numpy("label")) == 2


def test_no_answer_is_lost_or_crossed(
    server: RunningServer, many: Images, expected: Result
) -> None:
    """Many at once, of different sizes and settings; every answer is the engine's own."""
    starts = list(range(0, 396, 4))

    async def ask_all() -> list[Any]:
        async with triton_aio.InferenceServerClient(server.address) as client:
            return await asyncio.gather(
                *(
                    client.infer(
                        "toy",
                        tensor(many[at : at + 1 + at % 3]),
                        parameters={"threshold": 1.5} if at % 8 else None,
                    )
                    for at in starts
                )
            )

    for at, answer in zip(starts, asyncio.run(ask_all()), strict=True):
        assert_equal(answer, expected, at, at + 1 + at % 3)


def test_threads_of_clients_share_the_server(
    server: RunningServer, many: Images, expected: Result
) -> None:
    def ask(part: int) -> None:
        with triton.InferenceServerClient(server.address) as client:
            for at in range(part, 100, 4):
                assert_equal(client.infer("toy", tensor(many[at : at + 1])), expected, at, at + 1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))


def spoken(server: RunningServer, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """What the server answers to raw bytes until it closes the connection."""
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause_s)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        except (BrokenPipeError, ConnectionResetError):
            return b""
    return answer


def test_http_that_is_none_is_refused(server: RunningServer) -> None:
    request = b"POST /v2/models/toy/infer HTTP/1.1\r\nHost: x\r\n"
    assert b" 400 " in spoken(server, b"\x16\x03\x01 this is TLS\r\n\r\n")
    assert b" 400 " in spoken(server, request + b"X: " + b"y" * 40_000 + b"\r\n\r\n")
    assert b" 400 " in spoken(server, request + b"X: " + b"y" * 40_000)  # and never an end
    assert b" 413 " in spoken(server, request + b"Content-Length: 99999999999\r\n\r\n")
    length = b"Inference-Header-Content-Length: -5\r\nConnection: close\r\n"
    assert b" 400 " in spoken(server, request + length + b"Content-Length: 2\r\n\r\n{}")


def test_a_replaced_bundle_loses_no_request(
    server: RunningServer, folder: Path, many: Images
) -> None:
    """`other` is replaced by one of more timesteps while it is asked without a pause."""
    seen: list[int] = []
    with triton.InferenceServerClient(server.address) as client:
        write_toy(folder / "new.bundle", name="other", timesteps=3)
        begin = time.monotonic()
        while 3 not in seen and time.monotonic() - begin < 20:
            answer = client.infer("other", tensor(many[:2]), parameters={"policy": "never"})
            seen += answer.as_numpy("timesteps").tolist()
            if len(seen) == 20:
                (folder / "other.bundle").rename(folder / "old.bundle")
                (folder / "new.bundle").rename(folder / "other.bundle")
    assert set(seen) == {2, 3} and seen == sorted(seen)
    assert any("replaces" in line for line in server.log)


def test_the_page_for_programs_is_openapi(server: RunningServer) -> None:
    with urllib.request.urlopen(f"http://{server.address}/openapi.json") as answer:
        page = json.load(answer)
    assert page["openapi"].startswith("3.1") and "/classify" in page["paths"]


def test_a_worker_that_is_killed_is_replaced_and_its_counts_remain(
    folder: Path, many: Images
) -> None:
    arguments = [str(folder / "toy.bundle"), "--workers", "2", "--max-batch", "2"]
    with RunningServer(arguments) as server:
        server.wait_for("startup complete", 2)
        workers = [int(line.split()[2]) for line in server.log if "server process" in line]
        for number in range(20):
            if number == 10:
                os.kill(workers[0], signal.SIGKILL)
                server.wait_for("startup complete", 3)
            with triton.InferenceServerClient(server.address) as client:
                client.infer("toy", tensor(many[:1]))
        with urllib.request.urlopen(f"http://{server.address}/metrics") as answer:
            page = answer.read().decode()
        assert 'spikehalt_requests_total{model="toy",status="200"} 20.0' in page
        assert 'spikehalt_waiting_images{model="toy"} 0.0' in page
        assert server.stop() == 0


def test_workers_of_a_killed_server_end_and_leave_nothing(folder: Path) -> None:
    with RunningServer([str(folder / "toy.bundle"), "--workers", "2"]) as server:
        server.wait_for("startup complete", 2)
        (worker, *_) = (line.split()[2] for line in server.log if "server process" in line)
        variables = Path(f"/proc/{worker}/environ").read_text().split("\0")
        (metrics,) = (each.partition("=")[2] for each in variables if "MULTIPROC" in each)
        assert Path(metrics).is_dir()
        server.process.kill()
        server.wait_for("Finished server process", 2)
        begin = time.monotonic()
        while server.listens or Path(metrics).exists():
            assert time.monotonic() - begin < 20
            time.sleep(0.02)


def test_sigterm_answers_what_is_queued(
    folder: Path, many: Images, expected: Result, server: RunningServer
) -> None:
    """The last test of this server, which it ends."""

    async def ask_and_stop() -> list[Any]:
        async with triton_aio.InferenceServerClient(server.address) as client:
            asked = [
                asyncio.create_task(client.infer("toy", tensor(many[at : at + 4])))
                for at in range(0, 160, 4)
            ]
            await asyncio.sleep(0.05)
            os.kill(server.process.pid, signal.SIGTERM)
            return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(ask_and_stop())
    for number, answer in enumerate(answers):
        if isinstance(answer, BaseException):  # it came when the door was closed, unheard
            assert not isinstance(answer, InferenceServerException), answer
        else:
            assert_equal(answer, expected, 4 * number, 4 * number + 4)
    assert server.stop() == 0
    wrong = [line for line in server.log if "Traceback" in line or "ERROR" in line]
    # A bundle may have been looked for between the two renames that replaced it.
    assert all("other cannot be replaced" in line for line in wrong), server.log
