"""A real Triton server with the engine inside, asked by its own client."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine, Result
from runtime.cli import main
from tests.runtime.serve.conftest import write_toy
from tests.runtime.serve.test_server import assert_equal as assert_answer
from tests.runtime.serve.test_server import tensor
from tests.runtime.triton.server import PYTHON, REASON, TritonServer

triton = pytest.importorskip("tritonclient.http", reason="needs pip install tritonclient[http]")
InferenceServerException = triton.InferenceServerException

pytestmark = pytest.mark.skipif(PYTHON is None, reason=REASON)

EXIT: dict[str, Any] = {"policy": "halting", "threshold": 1.5}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With bundles, and a repository made of them by the command; `broken` lacks its bundle."""
    place = tmp_path_factory.mktemp("triton")
    for name, timesteps in (("toy", 4), ("other", 2), ("broken", 2)):
        write_toy(place / f"{name}.bundle", timesteps=timesteps)
    bundles = [str(place / f"{name}.bundle") for name in ("toy", "other", "broken")]
    line = ["--out", str(place / "models"), "--policy", "halting", "--threshold", "1.5"]
    assert main(["triton", *bundles, *line]) == 0
    (place / "models" / "broken" / "1" / "model.bundle" / "first.onnx").unlink()
    return place


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[TritonServer]:
    (place / "work").mkdir()
    with TritonServer(place / "models", place / "work") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: TritonServer) -> Iterator[Any]:
    with triton.InferenceServerClient(server.address, concurrency=4) as client:
        yield client


@pytest.fixture(scope="module")
def many() -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (200, 4, 4, 3), np.uint8)


@pytest.fixture(scope="module")
def expected(place: Path, many: NDArray[np.uint8]) -> Result:
    with Engine(place / "toy.bundle", **EXIT) as engine:
        return engine(many)


class Flat:
    """An answer whose outputs of one value an image are [B] instead of [B, 1]."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def as_numpy(self, name: str) -> Any:
        array = self._answer.as_numpy(name)
        return array[:, 0] if array.shape[1] == 1 else array


def test_two_models_answer_and_one_without_its_bundle_does_not(
    client: Any, many: NDArray[np.uint8], expected: Result, server: TritonServer
) -> None:
    assert client.is_model_ready("toy") and client.is_model_ready("other")
    assert not client.is_model_ready("broken")
    assert "first.onnx is missing" in server.log
    assert_answer(Flat(client.infer("toy", tensor(many[:5]))), expected, 0, 5)
    answer = client.infer("other", tensor(many[:3]), parameters={"policy": "never"})
    assert answer.as_numpy("timesteps").tolist() == [[2], [2], [2]]
    config = client.get_model_config("toy")
    assert config["max_batch_size"] == 64 and "dynamic_batching" in config
    assert not config.get("model_transaction_policy", {}).get("decoupled")


def test_what_is_wrong_is_said(client: Any, many: NDArray[np.uint8]) -> None:
    for parameters, sentence in (
        ({"policy": "magic"}, "unknown exit policy"),
        ({"treshold": 1.0}, "did you mean 'threshold'"),
        ({"max_timesteps": 9}, "max_timesteps 9"),
        ({"latency_ms": 1e-6}, "too short"),
    ):
        with pytest.raises(InferenceServerException, match=sentence):
            client.infer("toy", tensor(many[:1]), parameters=parameters)
    with pytest.raises(InferenceServerException, match="shape"):
        client.infer("toy", tensor(many[:1, :2]))
    assert len(client.infer("toy", tensor(many[:1])).as_numpy("label")) == 1


def test_concurrent_requests_are_neither_lost_nor_crossed(
    server: TritonServer, many: NDArray[np.uint8], expected: Result
) -> None:
    def ask(part: int) -> None:
        with triton.InferenceServerClient(server.address) as client:
            for at in range(part, 190, 4):
                parameters = {"latency_ms": 60_000.0} if at % 3 else None
                stop = at + 1 + at % 5
                answer = client.infer("toy", tensor(many[at:stop]), parameters=parameters)
                assert_answer(Flat(answer), expected, at, stop)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))


def test_a_killed_stub_is_started_again_or_its_model_reloaded(
    client: Any, server: TritonServer, many: NDArray[np.uint8], expected: Result
) -> None:
    stubs = children(server.process.pid, "triton_python_backend_stub")
    assert len(stubs) == 2
    for stub in stubs:
        os.kill(stub, signal.SIGKILL)
    begin = time.monotonic()
    while time.monotonic() - begin < 60:
        try:
            assert_answer(Flat(client.infer("toy", tensor(many[:2]))), expected, 0, 2)
            return
        except InferenceServerException:
            client.load_model("toy")
    raise AssertionError(server.log[-2000:])


def test_a_replaced_bundle_is_loaded(client: Any, place: Path, many: NDArray[np.uint8]) -> None:
    bundle = place / "models" / "other" / "1" / "model.bundle"
    write_toy(bundle, timesteps=3)
    config = bundle.parents[1] / "config.pbtxt"
    config.touch()
    client.load_model("other")
    answer = client.infer("other", tensor(many[:1]), parameters={"policy": "never"})
    assert answer.as_numpy("timesteps").tolist() == [[3]]


def children(pid: int, name: str) -> list[int]:
    """Processes of that name below another."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, rest = path.read_text().rsplit(")", 1)
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(rest.split()[1]) == pid and name.encode() in command:
            found.append(int(head.split()[0]))
    return found
