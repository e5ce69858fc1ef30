"""Entry point of `python -m train`; the commands are in `train.cli`."""

from __future__ import annotations

import sys

from spikehalt import commands, console, extras


def main() -> int:
    """Run the command; returns the exit status, 2 where what training needs is not installed."""
    try:
        from train.cli import main as run_command
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("train", "spikehalt"):
            raise
        console.error(extras.missing(error, "train", "training"))
        return commands.FAILED
    return run_command()


if __name__ == "__main__":
    sys.exit(main())
