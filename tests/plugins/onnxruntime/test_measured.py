"""The break-even of SpikeLinear and SpikeConv is measured once for a machine, and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from plugins.libraries import ONNXRUNTIME_NAME, measured_files
from plugins.spike_linear import spike_linear_integer
from tests.plugins import samples
from tests.plugins.onnxruntime.nodes import Native, assert_equal

KEPT = "0.125"  # nobody measures that


@pytest.fixture
def library(native, tmp_path) -> Path:
    """The library in a folder where nothing has been measured."""
    return Path(shutil.copy(native.library, tmp_path / ONNXRUNTIME_NAME))


def test_what_one_process_measures_the_next_ones_keep(library):
    run(library)
    (file,) = measured_files(library.parent)
    lines = file.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("spikehalt-measured-1", "end")
    (figure,) = lines[1:-1]
    name, share = figure.split()
    assert name.startswith("break-even/bytes/") and name.endswith("/columns=70/taps=1")
    assert 0 <= float(share) <= 1
    file.write_text(file.read_text().replace(share, KEPT))
    run(library)
    assert file.read_text().splitlines()[1:-1] == [f"{name} {KEPT}"]


def test_other_widths_are_added(library):
    run(library)
    run(library, outputs=20)
    (file,) = measured_files(library.parent)
    assert [line.split("/")[3] for line in file.read_text().splitlines()[1:-1]] == [
        "columns=20",
        "columns=70",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rubbish",
        "spikehalt-measured-1\n",  # cut short
        "spikehalt-measured-1\na b\nend\n",
        "spikehalt-measured-1\na 0.5 0.5\nend\n",
        "spikehalt-measured-2\nend\n",
        "spikehalt-measured-1\n{name} nan\nend\n",
        "spikehalt-measured-1\n{name} -1\nend\n",
        "\0" * 4096,
    ],
)
def test_a_damaged_file_is_measured_anew(library, text):
    run(library)
    (file,) = measured_files(library.parent)
    name = file.read_text().splitlines()[1].split()[0]
    file.write_text(text.replace("{name}", name))
    run(library)
    lines = file.read_text().splitlines()
    assert lines[-1] == "end"
    assert 0 <= float(lines[1].split()[1]) <= 1


def test_a_file_that_cannot_be_replaced_is_no_error(library):
    run(library)
    (file,) = measured_files(library.parent)
    file.unlink()
    file.mkdir()
    run(library)
    assert [path.name for path in library.parent.iterdir() if path != library] == [file.name]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_that_is_closed_is_no_error(library):
    library.parent.chmod(0o500)
    run(library)
    library.parent.chmod(0o700)
    assert not measured_files(library.parent)


def test_another_library_reads_another_file(library):
    run(library)
    with library.open("ab") as file:
        file.write(b"\0")
    run(library)
    assert len(measured_files(library.parent)) == 2


def run(library: Path, outputs: int = 70) -> None:
    """A layer in a process of its own, which must be right."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(library), str(outputs)],
        env={name: value for name, value in os.environ.items() if name != "SPIKEHALT_BREAK_EVEN"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def check(library: str, outputs: int) -> None:
    """Rows of which some are listed and some multiplied."""
    rng = np.random.default_rng(0)
    feeds = samples.integer_layer(rng, (12, 100), 100, outputs, density=0.3)
    feeds["x"][::3] = 1
    ones = np.ones(outputs, np.float32)
    feeds |= {"scale": ones, "bias": ones}
    assert_equal(Native(library).run("SpikeLinearInteger", feeds), spike_linear_integer(**feeds))


if __name__ == "__main__":
    check(sys.argv[1], int(sys.argv[2]))
