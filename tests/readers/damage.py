"""Damaged versions of a file: of its bytes, and of the plain data that it holds."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

DEEP = 20_000
WHOLE = {  # what may stand in any file's place
    "empty": b"",
    "a byte": b"\0",
    "noise": Random(1).randbytes(4096),
    "deep lists": b"[" * DEEP,
    "deep objects": b'{"a":' * DEEP,
    "deep pickle": b"\x80\x02" + b"(" * DEEP + b".",
    "huge number": b"9" * 5000,
    "huge exponent": b"1e999999999",
    "null letters": b"a,b\0c\n" * 100,
    "one long line": b"x" * 200_000,
    "no UTF-8": "Bäume\n".encode("latin-1"),
    "UTF-16": "a: 1\n".encode("utf-16"),
    "Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
    "a zip of nothing": b"PK\x05\x06" + bytes(18),
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\3" + bytes(20),
    "a date that is none": b"a: 2001-99-99\n",
    "aliases of aliases": b"".join(
        b"k%d: &k%d [%s]\n" % (n, n, b", ".join([b"*k%d" % (n - 1)] * 9 if n else [b"0"] * 9))
        for n in range(12)
    ),
    "an alias of itself": b"model: &a [*a]\n",
}
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**70, 10**400, 1e308, float("nan"), float("inf"), "", "x" * 300, "\x1b[2J",
    [], {}, [[]], {"": None}, [0] * 50, b"\xff", {1: 2},
)  # fmt: skip


def damaged(valid: bytes, random: Random, cases: int) -> Iterator[tuple[str, bytes]]:
    """Some versions of a file, each with what was done to it."""
    for number in range(cases):
        data = bytearray(valid)
        for _ in range(random.randint(1, 4)):
            _change(data, random)
        yield f"bytes {number}", bytes(data)
    for share in range(8):
        yield f"cut at {share}/8", valid[: len(valid) * share // 8]


def _change(data: bytearray, random: Random) -> None:
    at, length = random.randint(0, max(len(data) - 1, 0)), random.randint(1, 16)
    kind = random.choice(("flip", "set", "insert", "delete", "copy", "digit"))
    if kind == "insert":
        data[at:at] = random.randbytes(length)
    elif kind == "delete":
        del data[at : at + length]
    elif kind == "copy":
        data[at:at] = data[max(at - length, 0) : at]
    elif data and kind == "flip":
        data[at] ^= 1 << random.randint(0, 7)
    elif data and kind == "set":
        data[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF))
    elif kind == "digit":  # texts: a number becomes another
        digits = [place for place, letter in enumerate(data) if chr(letter).isdigit()]
        if digits:
            data[random.choice(digits)] = random.choice(b"-.e9nN")


def changed(valid: Any, random: Random) -> Any:
    """Plain data in which a few values, at any depth, are others, gone, new or renamed."""
    data = copy.deepcopy(valid)
    for _ in range(random.randint(1, 3)):
        parent = _container(data, random)
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        if not keys:
            continue
        key = random.choice(keys)
        if random.random() < 0.2:
            del parent[key]
        elif random.random() < 0.2 and isinstance(parent, dict):
            parent[f"{key}x"] = parent.pop(key)
        else:
            parent[key] = copy.deepcopy(random.choice(VALUES))
    return data


def _container(data: Any, random: Random) -> Any:
    while True:
        values = data.values() if isinstance(data, dict) else data
        inner = [value for value in values if isinstance(value, dict | list)]
        if not inner or random.random() < 0.3:
            return data
        data = random.choice(inner)
