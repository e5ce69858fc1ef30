"""`python -m benchmarks.train`."""

import tyro

from benchmarks.train import command

if __name__ == "__main__":
    command.main(
        tyro.cli(command.Options, prog="python -m benchmarks.train", description=command.__doc__)
    )
