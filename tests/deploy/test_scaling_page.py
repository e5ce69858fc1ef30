"""docs/scaling.md: its steps are those that run elsewhere in the tests, and its options exist.

Its lines on Ray run as printed in tests/runtime/ray/test_cluster.py, the image's commands (which
are the board's) in test_running.py.
"""

from __future__ import annotations

import re
import shlex

import runtime.cli as runtime_command
import train.cli as train_command
from runtime.ray.serving import ReplicaOptions, serve
from tests.deploy.dockerfile import FOLDER, ROOT, Dockerfile
from tests.deploy.pages import PAGE, lines
from tests.deploy.test_files import values


def test_a_board_gets_what_the_image_gets() -> None:
    steps = [line.removeprefix("sudo ") for line in lines("sudo ")]
    image = [each for each in Dockerfile("cpu").commands() if "/opt/spikehalt" in each]
    assert [each.replace("python3 -m", "python -m") for each in steps[:3]] == image
    (conf,) = lines("printf ")
    written = shlex.split(conf)[1].encode().decode("unicode_escape")
    settings = dict(line.split("=", 1) for line in written.splitlines())
    words = values(FOLDER / "spikehalt.service", "ExecStart")
    for name, value in settings.items():
        words = words.replace(f"${name}", value)
    runtime_command.build_parser().parse_args(shlex.split(words)[1:])


def test_containers_are_built_from_files_that_are_there() -> None:
    for line in (*lines("docker "), *lines("BUNDLES="), *lines("kubectl ")):
        for name in re.findall(r"-f (\S+)", line):
            assert (ROOT / name).exists(), line
    for name in re.findall(r"`([\w-]+\.Dockerfile)`", PAGE):
        assert (FOLDER / name).exists(), name
    for name in re.findall(r"`((?:tests|deploy)/[\w/.]+)`", PAGE):
        assert (ROOT / name).exists(), name
    (run,) = lines("docker run")
    arguments = run.partition("spikehalt:cpu ")[2]
    runtime_command.build_parser().parse_args(["serve", *shlex.split(arguments)])


def test_arguments_of_ray_serve_are_taken() -> None:
    (line,) = lines("serve run ")
    command, target, *arguments = shlex.split(line)[1:]
    assert (command, target) == ("run", f"spikehalt.ray:{serve.__name__}")
    given = dict(each.split("=", 1) for each in arguments)
    assert set(given) <= set(ReplicaOptions.__dataclass_fields__)
    named = re.findall(r"`(\w+)`", PAGE.partition("## Requests on a Ray")[2].partition("##")[0])
    asked = {"policy", "threshold", "epsilon", "max_timesteps", "device", "threads", "queue"}
    assert asked <= set(named) & set(ReplicaOptions.__dataclass_fields__)


def test_training_is_started_by_commands_that_are_accepted() -> None:
    parser = train_command.build_parser()
    started = [*lines("torchrun "), *lines("srun torchrun ")]
    assert len(started) == 2
    for line in started:
        arguments = shlex.split(line.partition(" -m train ")[2])
        assert parser.parse_args(arguments).resume
    (line,) = lines("spikehalt sweep ")
    assert parser.parse_args(shlex.split(line)[1:]).ray == "here"
