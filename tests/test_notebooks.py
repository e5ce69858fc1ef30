"""The notebooks run from top to bottom, shortened by their own parameters, and ship no outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "docs" / "notebooks"
SHORT = {
    "digits": {"STATIC_EPOCHS": 0, "HALTING_EPOCHS": 1},
    "board": {"COUNT": 2, "ROUNDS": 1, "CHECKPOINT": str(ROOT / "zoo/cifar10-small/halting.pt")},
}

nbformat = pytest.importorskip("nbformat", reason="notebooks need 'spikehalt[notebooks]'")
nbclient = pytest.importorskip("nbclient", reason="notebooks need 'spikehalt[notebooks]'")
pytest.importorskip("ipykernel", reason="notebooks need 'spikehalt[notebooks]'")


def read(name: str) -> Any:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def test_every_notebook_is_run_here() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(SHORT)


@pytest.mark.parametrize("name", SHORT)
def test_notebooks_are_small_and_hold_no_outputs(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    assert (NOTEBOOKS / f"{name}.ipynb").stat().st_size < 20_000


def answers(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a notebook says, run in an empty folder with the parameters of SHORT."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(variable, str(folder / "settings"))
    notebook = read(name)
    (parameters,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", ())]
    for parameter, value in SHORT[name].items():
        assert parameter in parameters.source
        parameters.source += f"\n{parameter} = {value!r}"
    place = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=place).execute()
    outputs = [each for cell in notebook.cells for each in cell.get("outputs", ())]
    texts = [each.get("text") or each["data"].get("text/plain", "") for each in outputs]
    kinds = {kind for each in outputs for kind in each.get("data", {})}
    return "\n".join([*texts, *sorted(kinds)])


def test_digits_are_learned_and_their_tokens_die(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = answers("digits", tmp_path, monkeypatch)
    assert "spikformer-3-64: 16 tokens, 4 timesteps" in said
    assert "early exit" in said and said.count("% right") == 6
    assert "image/png" in said and "image/gif" in said


def test_a_checkpoint_goes_to_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = answers("board", tmp_path, monkeypatch)
    assert "int8: " in said and "first.onnx" in said
    assert said.count("timestep(s)") == 4
    assert "--onnx=" in said and "--exportProfile=next.profile.json" in said
