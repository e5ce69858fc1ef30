"""What docs/serving.md prints runs as printed, but for the ports, which are free ones."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from runtime.cli import main, serve, triton
from tests.runtime.serve.conftest import encoded, write_toy
from tests.runtime.serve.server import ROOT, RunningServer
from tests.runtime.serve.test_app import asking

PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
LINES = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
SERVERS = [shlex.split(line)[2:] for line in LINES if line.startswith("spikehalt serve ")]

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that the page names."""
    place = tmp_path_factory.mktemp("docs")
    pixels = np.zeros((8, 8, 3), np.uint8)
    for name, timesteps in (("toy", 4), ("other", 2), ("new", 3)):
        write_toy(place / f"{name}.bundle", timesteps=timesteps)
    (place / "photo.jpg").write_bytes(encoded(pixels, "JPEG"))
    (place / "request.json").write_text(json.dumps(asking(pixels[None, :4, :4])))
    (place / "token.txt").write_text("secret\n")
    names = "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    for name in ("cert", "ca"):  # each signs itself, and the client is its own authority
        key = f"{'key' if name == 'cert' else 'ca-key'}.pem"
        command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 {names}"
        made = [*command.split(), "-keyout", key, "-out", f"{name}.pem"]
        subprocess.run(made, cwd=place, check=True, capture_output=True)
    return place


@pytest.fixture(scope="module")
def servers(place: Path) -> Iterator[list[RunningServer]]:
    """The servers that the page starts, at once."""
    with ExitStack() as stack:
        started = [RunningServer(_free_port(each), folder=place) for each in SERVERS]
        yield [stack.enter_context(each) for each in started]


def _free_port(arguments: list[str]) -> list[str]:
    return [each for each in arguments if each not in ("--port", "8000")]


def run(place: Path, line: str, server: RunningServer) -> str:
    """What a line of the page prints; its status has to be 0."""
    line = line.replace("localhost:8000", server.address)
    done = subprocess.run(line, shell=True, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


def test_shell_commands_run(place: Path, servers: list[RunningServer]) -> None:
    public, secret, _ = servers
    asked = [line for line in LINES if line.startswith("curl")]
    answers = {line: run(place, line, secret if "Bearer" in line else public) for line in asked}
    assert len(answers) == 7
    labels = [json.loads(text)["label"] for line, text in answers.items() if "/classify" in line]
    assert labels == [0, 0]


def test_python_blocks_run(
    place: Path, servers: list[RunningServer], capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = [text for kind, text in BLOCKS if kind == "python"]
    exec(compile(code.replace("localhost:8000", servers[0].address), "docs/serving.md", "exec"), {})
    assert "[2 2 2]" in capsys.readouterr().out


def test_a_folder_is_renamed_in_place_of_another(place: Path, servers: list[RunningServer]) -> None:
    (line,) = [line for line in LINES if line.startswith("mv ")]
    about = f"http://{servers[0].address}/v2/models/toy"
    run(place, line, servers[0])
    for _ in range(200):
        with urllib.request.urlopen(about) as answer:
            if json.load(answer)["parameters"]["timesteps"] == 3:
                return
        time.sleep(0.05)
    raise AssertionError("the new bundle is not served")


def test_only_clients_with_a_certificate_are_heard(
    place: Path, servers: list[RunningServer]
) -> None:
    port = servers[2].address.split(":")[1]
    url = f"https://localhost:{port}/v2/models/toy"
    context = ssl.create_default_context(cafile=str(place / "cert.pem"))
    with pytest.raises(OSError):
        urllib.request.urlopen(url, context=context).read()
    context.load_cert_chain(place / "ca.pem", place / "ca-key.pem")
    with urllib.request.urlopen(url, context=context) as answer:
        assert json.load(answer)["name"] == "toy"


def test_a_repository_for_triton_is_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = [line for line in LINES if line.startswith("spikehalt triton ")]
    monkeypatch.chdir(place)
    assert main(shlex.split(line)[1:]) == 0
    assert {each.name for each in (place / "models").iterdir()} == {"toy", "other"}


def test_options_and_files_that_are_named_exist() -> None:
    text = ""
    for command in (serve, triton):
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        text += parser.format_help()
    for option in set(re.findall(r"`(--[\w-]+)", PAGE)) - {"--flat", "--chunk"}:
        assert option in text, option
    for name in re.findall(r"`((?:runtime|tests)/[\w./]+)`", PAGE):
        assert (ROOT / name).exists(), name
