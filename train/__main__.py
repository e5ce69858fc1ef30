"""`python -m train`: see `python -m train --help`."""

import sys

from spikehalt import commands


def _run() -> int:
    from train.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(commands.run(_run, stopped="stopped before anything was done"))
