"""This machine as an image or a board sees it: folders where they belong, a network of its own.

A mount namespace puts folders of the tests where an image has them, `/opt/spikehalt` for one; what
runs there has no network but its own loopback, and not this user's rights.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

USER = "10001"
START_S, STOP_S = 60, 40
_TOOLS = ("unshare", "nsenter", "setpriv", "mount", "ip")
_BASE = Path(sys.base_prefix)
_HOMES = ("/home", "/root")
# ProtectSystem=strict, ProtectHome=yes, PrivateTmp=yes, as systemd.exec(5) describes them.
PROTECTED = (
    "mount -o remount,bind,ro /",
    *(
        f"mount -t tmpfs -o mode=000 none {home}"
        for home in _HOMES
        if not _BASE.is_relative_to(home)
    ),
    *(f"mount -t tmpfs -o mode=1777 none {folder}" for folder in ("/tmp", "/var/tmp")),
)


def _only_python(home: str) -> str:
    """Shell commands that leave nothing in a home but this Python, if it lies there."""
    if not _BASE.is_relative_to(home):
        return "true"
    base = shlex.quote(str(_BASE))
    return (
        f"mount --bind {base} /mnt && mount -t tmpfs -o mode=755 none {home} && mkdir -p {base} && "
        f"mount --bind /mnt {base} && umount /mnt"
    )


def why_not() -> str:
    """Why there can be no such namespace here; empty if there can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "needs root on Linux, to put folders where an image has them"
    lacking = [each for each in _TOOLS if shutil.which(each) is None]
    if lacking:
        return f"needs {', '.join(lacking)}"
    tried = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, text=True)
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else ""


class Machine:
    """Runs commands in which folders lie elsewhere than here.

    Args:
        folders: where each has to be found, and where it lies.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders
        self._made = [Path(each) for each in folders if not Path(each).exists()]
        for place in self._made:
            place.mkdir(parents=True)

    def close(self) -> None:
        """Remove the empty folders that were mounted upon."""
        for place in self._made:
            place.rmdir()

    def command(
        self, arguments: Sequence[str], protections: Sequence[str] = (), *, alone: bool
    ) -> list[str]:
        """A command line that runs another one there.

        Args:
            arguments: what is run.
            protections: shell commands before it.
            alone: without this user's rights, and without a network.
        """
        binds = [
            f"mount --bind {shlex.quote(str(here))} {there}"
            for there, here in self._folders.items()
        ]
        rights = f"setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs"
        drop = f"{rights} --bounding-set=-all --inh-caps=-all" if alone else ""
        before = ["ip link set lo up", *map(_only_python, _HOMES)] if alone else []
        script = " && ".join([*before, *binds, *protections, f'exec {drop} "$@"'])
        spaces = ["--mount", "--net"] if alone else ["--mount"]
        return ["unshare", *spaces, "sh", "-c", script, "sh", *arguments]

    def build(self, command: str, environment: Mapping[str, str]) -> None:
        """Run a shell command as an image's RUN does, as root and with the network."""
        line = self.command(["sh", "-c", f"cd /src && {command}"], alone=False)
        done = subprocess.run(line, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])


class Running:
    """A server in such a place, which is ready when its own health check says so.

    Args:
        command: of `Machine.command`.
        environment: all of it.
        probe: the health check.
        log: what the server says.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        probe: Sequence[str],
        log: Path,
    ) -> None:
        self._probe, self._log, self._environment = probe, log, environment
        self._file = log.open("w")
        self.process = subprocess.Popen(
            command, env=environment, stdout=self._file, stderr=self._file, cwd="/"
        )

    @property
    def log(self) -> str:
        """What it has said."""
        return self._log.read_text()

    def ask(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command in the server's namespaces, with its user's rights."""
        enter = ["nsenter", "--target", str(self.process.pid), "--mount", "--net"]
        ids = ["--setuid", USER, "--setgid", USER, "--"]
        line = [*enter, *ids, *command]
        return subprocess.run(line, env=self._environment, capture_output=True, cwd="/")

    def stop(self) -> int:
        """End it as Docker and systemd do; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_S)
        self._file.close()
        return status

    def __enter__(self) -> Running:
        begin = time.monotonic()
        while (asked := self.ask(*self._probe)).returncode != 0:
            if self.process.poll() is not None or time.monotonic() - begin > START_S:
                self.stop()
                raise AssertionError(self.log + asked.stderr.decode())
            time.sleep(0.1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
