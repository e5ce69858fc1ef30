"""`python -m runtime sign BUNDLE --key KEY.pem`: sign a bundle's manifest (Ed25519)."""

from __future__ import annotations

import argparse

from runtime.bundle import SIGNATURE_NAME, sign_bundle
from runtime.cli import options
from spikehalt import console
from spikehalt.commands import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", metavar="BUNDLE", help=options.BUNDLE_HELP)
    parser.add_argument(
        "--key",
        required=True,
        metavar="KEY.pem",
        help="private key, as `openssl genpkey -algorithm ed25519` makes it",
    )
    parser.add_argument(
        "--release",
        type=whole(0),
        metavar="N",
        help="what devices compare with --min-release; count up (default: as the bundle says)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Sign, after checking every file."""
    bundle = sign_bundle(arguments.bundle, arguments.key, arguments.release)
    console.say(f"{bundle.root / SIGNATURE_NAME}: signed {bundle.fingerprint}")
    return 0
