"""`python -m benchmarks.gpu`."""

import sys

from benchmarks.gpu.command import main
from spikehalt.commands import run as run_command

if __name__ == "__main__":
    sys.exit(run_command(main))
