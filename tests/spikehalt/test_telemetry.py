from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spikehalt.extras import TELEMETRY_VARIABLES as VARIABLES
from tests.runtime.toy import toy_files, toy_manifest

ROOT = Path(__file__).resolve().parents[2]
# A library that looks something up in the background has a thread for it.
COUNT = "len(__import__('os').listdir('/proc/self/task'))"
WAYS = {
    "an engine": "from runtime import Engine; Engine({bundle!r}, threads=1).close()",
    "the command": (
        "from spikehalt.__main__ import main; assert main(['info', {bundle!r}]) == 0; "
        "import onnxruntime"
    ),
    "exporting": "import export.options, onnxruntime",
    "plugins": "import plugins, onnxruntime",
    "training": "import train, onnxruntime",
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    from runtime.bundle import write_bundle

    return write_bundle(tmp_path / "a.bundle", toy_manifest(), toy_files(toy_manifest())).root


def left_in_home(code: str, home: Path, **asked: str) -> list[str]:
    """Files that a process leaves in its home, and what it prints."""
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    kept |= {"HOME": str(home), "XDG_CACHE_HOME": "", "PYTHONPATH": str(ROOT), **asked}
    subprocess.run([sys.executable, "-c", code], env=kept, check=True, stdout=subprocess.PIPE)
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left_in_the_home_folder(way: str, bundle: Path, tmp_path: Path) -> None:
    assert not left_in_home(WAYS[way].format(bundle=str(bundle)), tmp_path / "home")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted on Linux")
def test_no_thread_is_left_that_could_look_something_up(tmp_path: Path) -> None:
    code = f"import runtime, numpy; before = {COUNT}; import onnxruntime; assert {COUNT} == before"
    left_in_home(code, tmp_path / "home")


def test_who_asks_for_telemetry_gets_it(tmp_path: Path) -> None:
    code = "import os, runtime; assert os.environ['ORT_DISABLE_TELEMETRY'] == '0'"
    left_in_home(code, tmp_path / "home", ORT_DISABLE_TELEMETRY="0")


@pytest.mark.parametrize("package", ["train", "export", "runtime", "plugins", "benchmarks"])
def test_every_package_switches_it_off_before_any_library(package: str) -> None:
    """Nothing of onnxruntime is imported by a package's own `__init__` before `spikehalt` is."""
    code = (
        f"import sys; import {package}; loaded = list(sys.modules); "
        "late = 'onnxruntime' in loaded and loaded.index('onnxruntime') < loaded.index('spikehalt')"
        "; assert not late; assert 'spikehalt' in loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
