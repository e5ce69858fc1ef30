"""Graphs are built from numpy arrays: no module that emits them needs torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
EVERY_MODULE = """
import importlib, pkgutil, sys
import export.graph, export.graph.unroll
for module in pkgutil.walk_packages(export.graph.__path__, "export.graph."):
    importlib.import_module(module.name)
loaded = {name.split(".")[0] for name in sys.modules} & {"torch", "spikingjelly"}
assert not loaded, f"export.graph imports {loaded}"
"""


def test_graph_emission_leaves_torch_out() -> None:
    command = [sys.executable, "-c", EVERY_MODULE]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
