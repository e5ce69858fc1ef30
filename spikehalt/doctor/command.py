"""`spikehalt doctor`: what is installed, what works here, and the command that brings the rest."""

from __future__ import annotations

import argparse
import os
import platform
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from spikehalt import console, extras
from spikehalt.commands import DONE, NEGATIVE
from spikehalt.doctor import extras as installed
from spikehalt.doctor.finding import Finding
from spikehalt.packages.ours import import_ours

EXAMINERS = ("runtime.doctor", "plugins.doctor", "train.doctor")  # each has `findings()`


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Look and show; 1 if no backend can run bundles here."""
    found = list(_findings())
    (_show_json if arguments.json else _show_table)(found)
    backends = [each.works for each in found if each.area == "backend"]
    return DONE if any(backends) else NEGATIVE


def _findings() -> Iterator[Finding]:
    yield from installed.findings()
    for name in EXAMINERS:
        try:
            examiner = import_ours(name)
        except ImportError as error:  # such as numpy, which all but this command need
            yield Finding("package", name.split(".")[0], False, console.one_line(str(error)))
        else:
            yield from examiner.findings()


def _machine() -> dict[str, object]:
    return {
        "spikehalt": extras.version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
    }


def _show_json(found: list[Finding]) -> None:
    console.write_json({"machine": _machine(), "findings": [asdict(each) for each in found]})


def _show_table(found: list[Finding]) -> None:
    machine = _machine()
    title = (
        f"spikehalt {machine['spikehalt']}, Python {machine['python']}, {machine['platform']}, "
        f"{machine['cpus']} processors"
    )
    rows = [
        [f"{each.area} {each.name}", "yes" if each.works else "no", _text(each)] for each in found
    ]
    counts = Counter(each.works for each in found)
    footer = f"{counts[True]} work, {counts[False]} do not; only what you use has to"
    console.write_table(title, ["what", "works", "found, or what brings it"], rows, footer)


def _text(finding: Finding) -> str:
    return f"{finding.detail}: {finding.remedy}" if finding.remedy else finding.detail
