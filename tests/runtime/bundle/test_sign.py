from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime import Engine
from runtime.bundle import Bundle, add_files, sign_bundle, signature_notice, update_manifest
from runtime.cli import main
from runtime.errors import BundleIntegrityError, BundleSignatureError
from spikehalt.errors import ConfigError, MissingExtraError
from spikehalt.extras import install_command

OWNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def raw_private(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes_raw()


def raw_public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """The owner's keys as PEM files: private, public."""
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private.write_bytes(OWNER.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(OWNER.public_key().public_bytes(encoding, spki))
    return private, public


def test_a_signed_bundle_runs_with_its_owners_key(bundle: Bundle, keys: tuple[Path, Path]) -> None:
    private, public = keys
    sign_bundle(bundle.root, private)

    for key in (public, str(public), raw_public(OWNER)):
        assert Bundle.open(bundle.root, public_key=key).manifest == bundle.manifest
    with Engine(bundle.root, public_key=public) as engine:
        assert engine.manifest == bundle.manifest
    assert Bundle.open(bundle.root).fingerprint == bundle.fingerprint  # keys are optional


def test_a_bundle_that_is_not_signed_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleSignatureError, match="is not signed"):
        Engine(bundle.root, public_key=raw_public(OWNER))


def test_another_key_is_refused(bundle: Bundle) -> None:
    sign_bundle(bundle.root, raw_private(STRANGER))

    with pytest.raises(BundleSignatureError, match="another key"):
        Bundle.open(bundle.root, public_key=raw_public(OWNER))


def test_a_changed_manifest_needs_a_new_signature(bundle: Bundle) -> None:
    sign_bundle(bundle.root, raw_private(OWNER))
    update_manifest(bundle.root, dataclasses.replace(bundle.manifest, producer="someone"))

    with pytest.raises(BundleSignatureError, match="changed after it was signed"):
        Bundle.open(bundle.root, public_key=raw_public(OWNER))
    sign_bundle(bundle.root, raw_private(OWNER))
    again = Bundle.open(bundle.root, public_key=raw_public(OWNER))
    assert again.manifest.producer == "someone"


def test_whoever_changes_a_signed_bundle_can_tell_that_it_must_be_signed_again(
    bundle: Bundle,
) -> None:
    assert signature_notice(bundle.root) is None
    sign_bundle(bundle.root, raw_private(OWNER))
    add_files(bundle.root, {"first.plan": b"engine"})

    notice = signature_notice(bundle.root)

    assert notice is not None and f"python -m runtime sign {bundle.root}" in notice


def test_files_behind_a_signed_manifest_are_still_checked(bundle: Bundle) -> None:
    sign_bundle(bundle.root, raw_private(OWNER))
    graph = bundle.root / "next.onnx"
    graph.write_bytes(b"x" * graph.stat().st_size)

    with pytest.raises(BundleIntegrityError, match="was modified"):
        Engine(bundle.root, public_key=raw_public(OWNER))


def test_a_damaged_bundle_is_not_signed(bundle: Bundle) -> None:
    (bundle.root / "next.onnx").write_bytes(b"x")

    with pytest.raises(BundleIntegrityError):
        sign_bundle(bundle.root, raw_private(OWNER))


@pytest.mark.parametrize("signature", [b"", b"x" * 63, b"x" * 64, b"x" * 5000])
def test_nonsense_is_no_signature(bundle: Bundle, signature: bytes) -> None:
    (bundle.root / "manifest.sig").write_bytes(signature)

    with pytest.raises(BundleSignatureError, match="signed"):
        Bundle.open(bundle.root, public_key=raw_public(OWNER))


def test_what_is_no_key_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    other = generate_private_key(SECP256R1()).public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "ec.pem").write_bytes(other.public_bytes(serialization.Encoding.PEM, spki))

    for key in (b"short", b"-----BEGIN nonsense"):
        with pytest.raises(ConfigError, match="no Ed25519 public key"):
            Bundle.open(bundle.root, public_key=key)
        with pytest.raises(ConfigError, match="no Ed25519 private key"):
            sign_bundle(bundle.root, key)
    with pytest.raises(ConfigError, match="no Ed25519 public key but"):
        Bundle.open(bundle.root, public_key=tmp_path / "ec.pem")


def test_a_key_file_that_cannot_be_read_is_named(bundle: Bundle, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"

    with pytest.raises(ConfigError, match=r"public key .*missing\.pem cannot be read.* pkey "):
        Bundle.open(bundle.root, public_key=missing)
    with pytest.raises(ConfigError, match=r"private key .*missing\.pem cannot be read.* genpkey "):
        sign_bundle(bundle.root, missing)


def test_an_opened_bundle_is_too_late_for_a_key(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="pass the bundle's path"):
        Engine(bundle, public_key=raw_public(OWNER))


def test_without_the_library_the_error_names_what_to_install(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in sys.modules if each.split(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(MissingExtraError, match=re.escape(install_command("sign"))):
        Bundle.open(bundle.root, public_key=b"\0" * 32)


def test_the_command_line_signs_and_checks(
    bundle: Bundle, keys: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    private, public = keys
    bench = ["bench", str(bundle.root), "--json", "--count", "1", "--rounds", "1"]

    assert main([*bench, "--public-key", str(public)]) == 2
    assert "is not signed" in capsys.readouterr().err
    assert main(["sign", str(bundle.root), "--key", str(private)]) == 0
    assert f"signed {bundle.fingerprint}" in capsys.readouterr().out
    assert main([*bench, "--public-key", str(public)]) == 0


def test_an_older_release_that_the_owner_signed_is_refused_where_that_is_asked_for(
    bundle: Bundle, keys: tuple[Path, Path]
) -> None:
    private, public = keys
    assert sign_bundle(bundle.root, private, release=3).manifest.release == 3

    assert Bundle.open(bundle.root, public_key=public, min_release=3).manifest.release == 3
    for reader in (Bundle.open, Engine):
        with pytest.raises(BundleSignatureError, match="is release 3, and releases before 4"):
            reader(bundle.root, public_key=public, min_release=4)
    with pytest.raises(ConfigError, match="min_release needs public_key"):
        Bundle.open(bundle.root, min_release=3)


def test_a_key_that_is_none_leaves_release_and_signature(
    bundle: Bundle, keys: tuple[Path, Path]
) -> None:
    sign_bundle(bundle.root, keys[0])
    with pytest.raises(ConfigError):
        sign_bundle(bundle.root, b"short", release=9)
    assert Bundle.open(bundle.root, public_key=keys[1]).manifest.release == 0


@pytest.mark.parametrize("signed", [False, True])
def test_verify_and_info_say_whether_the_signature_fits(
    bundle: Bundle, keys: tuple[Path, Path], signed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    private, public = keys
    if signed:
        assert main(["sign", str(bundle.root), "--key", str(private), "--release", "2"]) == 0
    verify, info = ["verify", str(bundle.root)], ["info", str(bundle.root), "--json"]
    key = ["--public-key", str(public)]
    capsys.readouterr()

    assert main(verify) == 0
    assert f"signature: {'not checked' if signed else 'none'}" in capsys.readouterr().out
    assert main([*verify, *key]) == main([*info, *key]) == (0 if signed else 1)
    assert f'"signature": "{"fits" if signed else "none"}"' in capsys.readouterr().out
    assert main([*verify, *key, "--min-release", "3"]) == 1
    assert ("is release 2" if signed else "is not signed") in capsys.readouterr().err


def test_verify_finds_a_changed_file_and_a_changed_manifest(
    bundle: Bundle, keys: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    private, public = keys
    sign_bundle(bundle.root, private)
    update_manifest(bundle.root, dataclasses.replace(bundle.manifest, release=7))
    assert main(["verify", str(bundle.root), "--public-key", str(public), "--json"]) == 1
    assert '"signature": "does not fit"' in capsys.readouterr().out
    (bundle.root / "first.onnx").write_bytes(bundle.read("first.onnx")[:-1] + b"x")
    assert main(["verify", str(bundle.root)]) == 1
    assert "was modified" in capsys.readouterr().err
