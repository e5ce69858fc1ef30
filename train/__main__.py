"""Entry point of `python -m train`; the commands are in `train.cli`."""

from __future__ import annotations

import sys

EXTRA = "pip install 'spikehalt[train]'"


def main() -> int:
    """Run the command; returns the exit status, 2 where what training needs is not installed."""
    try:
        from train.cli import main as run_command
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "train":
            raise
        what = f"{missing!r} cannot be imported" if missing else "an import failed"
        sys.stderr.write(f"error: training needs more packages, {what} ({error}): {EXTRA}\n")
        return 2
    return run_command()


if __name__ == "__main__":
    sys.exit(main())
