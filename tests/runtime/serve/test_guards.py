"""Clients that are slow, or too many, cost the others nothing: a server with short limits."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn

from runtime.serve import run
from runtime.serve.options import Limits, Listening, ServeOptions

CONNECTIONS = 3
ASK = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
LIMITS = Limits(header_s=0.5, body_s=0.5, connections=CONNECTIONS)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[uvicorn.Server]:
    options = ServeOptions(bundles={"toy": folder / "toy.bundle"}, max_batch=2, limits=LIMITS)
    config = run._config(options, Listening(port=0))
    listening = config.bind_socket()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    wait_until(lambda: server.started, "the server does not start")
    yield server
    server.should_exit = True
    thread.join(30)
    listening.close()


def wait_until(true: Callable[[], bool], what: str) -> None:
    begin = time.monotonic()
    while not true():
        assert time.monotonic() - begin < 30, what
        time.sleep(0.01)


@contextlib.contextmanager
def connected(server: uvicorn.Server) -> Iterator[socket.socket]:
    """A client, alone with those that were there before."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # it is soon full
        client.settimeout(30)
        client.connect(server.servers[0].sockets[0].getsockname())
        yield client


def until_closed(client: socket.socket) -> bytes:
    """What the server says until it closes the connection."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            said += part
    return said


def is_heard(server: uvicorn.Server) -> bool:
    with connected(server) as client:
        client.sendall(ASK)
        return client.recv(100).startswith(b"HTTP/1.1 200")


@pytest.fixture(autouse=True)
def nobody_else(server: uvicorn.Server) -> None:
    wait_until(lambda: not server.server_state.connections, "a connection is left over")


@pytest.mark.parametrize("sent", [b"", b"GET /v2 HT", b"GET /v2 HTTP/1.1\r\nHost: x\r\n"])
def test_headers_that_do_not_come_close_the_connection(server: uvicorn.Server, sent: bytes) -> None:
    with connected(server) as client:
        client.sendall(sent)
        assert is_heard(server)
        assert until_closed(client) == b""


def test_a_second_request_has_its_own_time_for_headers(server: uvicorn.Server) -> None:
    with connected(server) as client:
        client.sendall(ASK)
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        client.sendall(b"GET /v2 HT")
        until_closed(client)


def test_a_body_that_does_not_come_is_answered_with_408(server: uvicorn.Server) -> None:
    head = b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with connected(server) as client:
        client.sendall(head + b"a few bytes")
        assert is_heard(server)
        said = until_closed(client)
    assert said.startswith(b"HTTP/1.1 408") and b"did not come within 0.5 s" in said


def test_one_connection_too_many_is_closed_at_once(server: uvicorn.Server) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connected(server)) for _ in range(CONNECTIONS)]
        wait_until(lambda: len(server.server_state.connections) == CONNECTIONS, "not accepted")
        for client in clients:  # they have begun, and have the body's time
            client.sendall(b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        with connected(server) as late:
            assert until_closed(late) == b""
    wait_until(lambda: is_heard(server), "nobody is heard any more")


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such limit")
def test_a_client_that_reads_nothing_is_closed(server: uvicorn.Server) -> None:
    with connected(server) as client:
        client.settimeout(0.2)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while True:  # until neither side takes any more
                client.sendall(LONG * 100)
        assert is_heard(server)
        wait_until(lambda: not server.server_state.connections, "it is still connected")
