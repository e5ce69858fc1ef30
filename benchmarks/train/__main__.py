"""`python -m benchmarks.train`."""

import argparse

from benchmarks.train import command
from spikehalt.commands import Parser
from train.cli.options.fields import add_fields, read_fields

if __name__ == "__main__":
    parser = Parser(
        prog="python -m benchmarks.train",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_fields(parser, command.Options)
    command.main(read_fields(command.Options, parser.parse_args()))
