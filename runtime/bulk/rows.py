"""What is known of an image, and files of that."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TypedDict

from spikehalt.console import json_line
from spikehalt.extras import require_extra

FORMATS = ("parquet", "jsonl")
_TYPES = {
    "path": "string", "label": "int64", "name": "string", "probability": "float64",
    "timesteps": "int64", "tokens": "float64", "energy_mj": "float64", "error": "string",
}  # fmt: skip


class Row(TypedDict):
    """What is known of an image; where it could not be read, its name and `error` alone."""

    path: str
    label: int | None
    name: str | None
    probability: float | None
    timesteps: int | None
    tokens: float | None
    energy_mj: float | None
    error: str | None


def encode(rows: Sequence[Row], form: str) -> bytes:
    """A file of rows.

    Args:
        rows: in their order.
        form: one of `FORMATS`.

    Raises:
        MissingExtraError: Parquet files need pyarrow.
    """
    return _parquet(rows) if form == "parquet" else _json_lines(rows)


def _json_lines(rows: Sequence[Row]) -> bytes:
    return "".join(map(json_line, rows)).encode()


def _parquet(rows: Sequence[Row]) -> bytes:
    arrow = require_extra("pyarrow", "ray", "writing Parquet files")
    parquet = require_extra("pyarrow.parquet", "ray", "writing Parquet files")
    schema = arrow.schema([(name, getattr(arrow, kind)()) for name, kind in _TYPES.items()])
    plain = [{**row, "path": _writable(row["path"])} for row in rows]
    buffer = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist(plain, schema=schema), buffer)
    return buffer.getvalue()


def _writable(text: str) -> str:
    """A name with bytes that are no UTF-8 has surrogates, which Parquet does not take."""
    return text.encode("utf-8", "backslashreplace").decode()
