"""torchrun restarts a run whose worker dies: from where it was saved last, by the same command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.train.samples import quick_run
from train.checkpoint import load_checkpoint
from train.cli import main
from train.loop.reports.log import CsvLog

START_S = 240
SMALL = (
    "--model.depth 2 --model.dim 16 --model.heads 2 --model.timesteps 2 --batch-size 64 "
    "--precision fp32 --accelerator cpu"
)


def workers(launcher: int) -> list[int]:
    """Processes that a launcher has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in path.read_text().splitlines())
        except (OSError, ValueError):
            continue
        if lines.get("PPid") == str(launcher):
            found.append(int(path.parent.name))
    return found


@contextmanager
def launched(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A launcher that is gone afterwards, with all that it started."""
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            for each in [*workers(process.pid), process.pid]:
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="workers are found by /proc")
def test_torchrun_restarts_a_run_whose_worker_is_killed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    line = f"run digits {SMALL} --static.epochs 4 --halting.epochs 0 --resume --out {out}"
    line += " --save-every-minutes 0.0001"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts=1"]
    # Restarted workers would else read dead ones' addresses: docs/scaling.md.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    environment.pop("PYTHONWARNINGS", None)
    command = [*launcher, "--nproc-per-node=2", "-m", "train", *line.split()]
    with launched(command, environment) as process:
        begin = time.monotonic()
        while len(CsvLog(out / "log.csv", keep=True).rows() if out.exists() else ()) < 1:
            assert time.monotonic() - begin < START_S and process.poll() is None
            time.sleep(0.05)
        os.kill(workers(process.pid)[-1], signal.SIGKILL)
        _, said = process.communicate(timeout=START_S)
    assert process.returncode == 0, said[-3000:]
    assert "Signal 9 (SIGKILL)" in said or "exitcode: -9" in said or "restart" in said.lower()
    epochs = [row["epoch"] for row in CsvLog(out / "log.csv", keep=True).rows()]
    assert epochs == ["1", "2", "3", "4"]
    stored = load_checkpoint(out / "static.pt")
    assert stored.run["static"]["epochs"] == 4


def test_the_same_command_starts_goes_on_and_finds_it_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = quick_run(tmp_path / "a")
    line = f"run digits {SMALL} --static.epochs 1 --halting.epochs 0 --resume --out {quick.out}"
    for _ in range(2):
        assert main(line.split()) == 0
        assert "static.pt" in capsys.readouterr().out
    assert main([*line.split(), "--overwrite"]) == 2
    assert main(line.replace("--static.epochs 1", "--static.epochs 2").split()) == 2
    assert "another static" in capsys.readouterr().err
