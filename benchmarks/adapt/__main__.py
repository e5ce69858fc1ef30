"""`python -m benchmarks.adapt`."""

import sys

from benchmarks.adapt.command import main
from spikehalt.commands import run as run_command

if __name__ == "__main__":
    sys.exit(run_command(main))
