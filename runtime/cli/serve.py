"""`spikehalt serve BUNDLE…`: bundles over HTTP, by Open Inference Protocol v2."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from runtime.bundle import Bundle
from runtime.cli import options
from runtime.early_exit.settings import Overrides, resolve
from runtime.errors import InputError
from runtime.serve.options import KNOBS, Limits, Listening, ServeOptions, by_name
from spikehalt.commands import whole
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.reading import read_file
from spikehalt.datasets.texts import decode_text
from spikehalt.extras import require_extra

TOKEN_VARIABLE = "SPIKEHALT_TOKEN"
MAX_TOKEN_BYTES = 65536


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundles", metavar="BUNDLE", nargs="+", help=options.BUNDLE_HELP)
    options.add_backend(parser)
    options.add_exit(parser)
    options.add_energy(parser)
    listening = Listening()
    parser.add_argument(
        "--host", default=listening.host,
        help="address to listen at; 0.0.0.0: all (default 127.0.0.1, this machine alone)",
    )  # fmt: skip
    options.add_port(parser, listening.port)
    parser.add_argument(
        "--workers", type=whole(1, options.MAX_PROCESSES), default=1, metavar="N",
        help="processes, each of which opens every bundle (default 1)",
    )  # fmt: skip
    options.add_queue(parser)
    _add_guards(parser)


def _add_guards(parser: argparse.ArgumentParser) -> None:
    limits = Limits()
    parser.add_argument(
        "--token-file", metavar="FILE",
        help=f"its text has to be sent as bearer token (default: what ${TOKEN_VARIABLE} holds)",
    )  # fmt: skip
    parser.add_argument("--tls-cert", metavar="CERT.pem", help="serve HTTPS with it")
    parser.add_argument("--tls-key", metavar="KEY.pem", help="the certificate's private key")
    parser.add_argument(
        "--client-ca", metavar="CA.pem", help="serve only clients whose certificate it signed"
    )
    for name, default, text in (
        ("--max-body-bytes", limits.body_bytes, "of a request"),
        ("--max-pixels", limits.pixels, "of an image file, before it is scaled"),
        ("--max-connections", limits.connections, "at once, per worker"),
    ):
        parser.add_argument(
            name, type=options.positive, default=default, metavar="N",
            help=f"{text} (default {default})",
        )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    for package in ("uvicorn", "httptools", "starlette", "pydantic", "prometheus_client"):
        require_extra(package, "serve", "serving over HTTP")
    from runtime.serve.run import serve

    engine = {**options.engine_arguments(arguments), "energy_sensor": arguments.energy}
    bundles = by_name([Path(each) for each in arguments.bundles])
    for path in bundles.values():  # before a process is started that could not serve it
        _check(path, arguments)
    limits = Limits(
        body_bytes=arguments.max_body_bytes,
        pixels=arguments.max_pixels,
        connections=arguments.max_connections,
    )
    chosen = ServeOptions(
        bundles=bundles,
        max_batch=arguments.max_batch,
        queue=arguments.queue,
        engine=engine,
        limits=limits,
        token=_token(arguments.token_file),
    )
    return serve(chosen, _listening(arguments))


def _check(path: Path, arguments: argparse.Namespace) -> None:
    """Refuse a bundle that cannot be opened, or not be run as asked."""
    bundle = Bundle.open(path, verify=False, public_key=arguments.public_key)
    knobs = {name: getattr(arguments, name) for name in KNOBS}
    resolve(bundle.manifest, Overrides(**knobs))


def _listening(arguments: argparse.Namespace) -> Listening:
    certificate, key, client_ca = (
        None if each is None else Path(each)
        for each in (arguments.tls_cert, arguments.tls_key, arguments.client_ca)
    )
    return Listening(
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        certificate=certificate,
        key=key,
        client_ca=client_ca,
    )


def _token(file: str | None) -> str | None:
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    with raised_as(InputError):
        token = decode_text(read_file(file, MAX_TOKEN_BYTES, pipe=True), file).strip()
    if not token:
        raise InputError(f"{file} holds no token: write one line into it")
    return token
