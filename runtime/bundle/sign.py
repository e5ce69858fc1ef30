"""Ed25519 signatures of a manifest, for devices that must run nobody else's bundles.

The manifest holds the sha256 of every other file, so its signature covers the whole bundle. It says
that the key's owner once signed exactly these bytes; not that nothing newer was signed, which
`min_release` asks for, and not who made the graphs or how good they are. Needs
the package cryptography (the extra `sign`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from runtime.errors import BundleSignatureError
from spikehalt.datasets.errors import DataFileError
from spikehalt.datasets.reading import read_file
from spikehalt.errors import ConfigError
from spikehalt.extras import require_extra
from spikehalt.reading import name_of, reading

Key = bytes | str | os.PathLike[str]
"""32 raw bytes, or the path of a PEM file."""

SignatureState = Literal["none", "not checked", "fits", "does not fit"]

_MAX_KEY_BYTES = 16384
_HOW_TO_MAKE = {
    "private": "`openssl genpkey -algorithm ed25519 -out private.pem` makes one",
    "public": "`openssl pkey -in private.pem -pubout -out public.pem` makes it of the private key",
}


def sign(data: bytes, private_key: Key) -> bytes:
    """The 64-byte signature of `data`.

    Raises:
        ConfigError: not an Ed25519 private key.
        MissingExtraError: cryptography is not installed.
    """
    signature: bytes = _private(private_key).sign(data)
    return signature


def check_signature(data: bytes, signature: bytes | None, public_key: Key, where: str) -> None:
    """Refuse `data` unless `signature` is that of the key's owner.

    Args:
        data: what was signed.
        signature: 64 bytes, or None if there is none.
        public_key: of the owner.
        where: what to call the bundle in messages.

    Raises:
        BundleSignatureError: it is not.
        ConfigError: not an Ed25519 public key.
        MissingExtraError: cryptography is not installed.
    """
    key = _public(public_key)
    if signature is None:
        raise BundleSignatureError(
            f"{where} is not signed: sign it with `python -m runtime sign`, or do not ask for a key"
        )
    invalid = _cryptography("exceptions").InvalidSignature
    try:
        key.verify(signature, data)
    except invalid as error:
        raise BundleSignatureError(
            f"the manifest of {where} was changed after it was signed (a calibration does that "
            "too), or signed with another key: sign it again"
        ) from error


def check_release(release: int, least: int | None, where: str) -> None:
    """Refuse a bundle that was signed before the oldest that is still wanted.

    Raises:
        BundleSignatureError: it was.
    """
    if least is not None and release < least:
        raise BundleSignatureError(
            f"{where} is release {release}, and releases before {least} are refused here: it was "
            "replaced by a newer one; copy that, or sign this one again with --release"
        )


def _private(key: Key) -> Any:
    ed25519 = _cryptography("hazmat.primitives.asymmetric.ed25519")
    return _load(
        key,
        "private",
        ed25519.Ed25519PrivateKey,
        lambda pem: _cryptography("hazmat.primitives.serialization").load_pem_private_key(
            pem, None
        ),
        ed25519.Ed25519PrivateKey.from_private_bytes,
    )


def _public(key: Key) -> Any:
    ed25519 = _cryptography("hazmat.primitives.asymmetric.ed25519")
    return _load(
        key,
        "public",
        ed25519.Ed25519PublicKey,
        lambda pem: _cryptography("hazmat.primitives.serialization").load_pem_public_key(pem),
        ed25519.Ed25519PublicKey.from_public_bytes,
    )


def _load(key: Key, kind: str, expected: Any, from_pem: Any, from_raw: Any) -> Any:
    if not isinstance(key, bytes | str | os.PathLike):
        raise ConfigError(f"a {kind} key is 32 bytes or a path, not {type(key).__name__}")
    data = key if isinstance(key, bytes) else _read(Path(key), kind)
    where = "this" if isinstance(key, bytes) else os.fspath(key)
    with reading(where, ConfigError, f"is no Ed25519 {kind} key (PEM, or 32 bytes)"):
        loaded = from_pem(data) if b"-----BEGIN" in data else from_raw(data)
    if not isinstance(loaded, expected):
        raise ConfigError(f"{name_of(where)} is no Ed25519 {kind} key but {type(loaded).__name__}")
    return loaded


def _read(path: Path, kind: str) -> bytes:
    try:
        return read_file(path, _MAX_KEY_BYTES, pipe=True)
    except DataFileError as error:
        raise ConfigError(f"the {kind} key {error}; {_HOW_TO_MAKE[kind]}") from error


def _cryptography(module: str) -> Any:

    return require_extra(f"cryptography.{module}", "sign", "signing")
