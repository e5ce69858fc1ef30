"""`python -m runtime`: see `python -m runtime --help`."""

import sys

from spikehalt import commands


def _run() -> int:
    from runtime.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(commands.run(_run))
