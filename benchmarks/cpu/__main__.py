"""`python -m benchmarks.cpu`."""

import sys

from benchmarks.cpu.command import main
from spikehalt.commands import run as run_command

if __name__ == "__main__":
    sys.exit(run_command(main))
