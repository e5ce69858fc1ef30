"""`python -m runtime verify BUNDLE`: is a bundle whole, and signed by the key's owner?"""

from __future__ import annotations

import argparse

from runtime.bundle import Bundle, signature_state
from runtime.cli import options
from runtime.errors import BundleIntegrityError, BundleSignatureError
from spikehalt import console
from spikehalt.commands import DONE, NEGATIVE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", metavar="BUNDLE", help=options.BUNDLE_HELP)
    options.add_public_key(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check every file, the signature and the release; 1 if one of them is not as it should be."""
    key = arguments.public_key
    try:
        bundle = Bundle.open(arguments.bundle, public_key=key, min_release=arguments.min_release)
        problem = None
    except (BundleIntegrityError, BundleSignatureError) as error:
        problem = str(error)
    signature = signature_state(arguments.bundle, key)
    if arguments.json:
        console.write_json({"whole": problem is None, "problem": problem, "signature": signature})
    elif problem is not None:
        console.error(problem)
    else:
        files = len(bundle.manifest.files)
        console.say(
            f"{bundle.root}: all {files} files are what the manifest says; release "
            f"{bundle.manifest.release}; signature: {signature}"
        )
    return DONE if problem is None else NEGATIVE
