"""Files of rows: one a shard, there whole or not at all; and the plan that they belong to."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runtime.bulk.answer import Row
from runtime.errors import InputError
from spikehalt.errors import ConfigError, OutputError
from spikehalt.extras import require_extra
from spikehalt.files import make_folder, put_file
from spikehalt.reading import reason

FORMATS = ("parquet", "jsonl")
_PLAN = "plan.json"
_TYPES = {
    "path": "string", "label": "int64", "name": "string", "probability": "float64",
    "timesteps": "int64", "tokens": "float64", "energy_mj": "float64", "error": "string",
}  # fmt: skip


class Results:
    """A folder of results.

    Args:
        folder: where they lie; made if need be.
        form: one of `FORMATS`.
        plan: what they are results of, as plain JSON values.

    Raises:
        ConfigError: the folder holds results of another plan.
        OutputError: it cannot be written.
        MissingExtraError: Parquet files need pyarrow.
    """

    def __init__(self, folder: Path, form: str, plan: dict[str, Any]) -> None:
        self._folder, self._form = folder, form
        if form == "parquet":
            require_extra("pyarrow.parquet", "ray", "writing Parquet files")
        make_folder(folder)
        self._claim({**plan, "format": form})

    def finished(self) -> set[int]:
        """Numbers of the shards whose rows are there."""
        names = (re.fullmatch(rf"shard-(\d+)\.{self._form}", each.name) for each in self._all())
        return {int(name[1]) for name in names if name}

    def write(self, number: int, rows: Sequence[Row]) -> None:
        """Write the rows of a shard, all at once."""
        content = _parquet(rows) if self._form == "parquet" else _json_lines(rows)
        put_file(self._folder / f"shard-{number:06}.{self._form}", content, "results")

    def _all(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except OSError as error:
            raise OutputError(f"{self._folder} cannot be listed: {reason(error)}") from error

    def _claim(self, plan: dict[str, Any]) -> None:
        path = self._folder / _PLAN
        if not path.exists():
            put_file(path, json.dumps(plan, indent=1) + "\n", "the plan")
            return
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {reason(error)}") from error
        changed = [key for key in {**plan, **there} if plan.get(key) != there.get(key)]
        if changed:
            raise ConfigError(
                f"{self._folder} holds results of another {', '.join(changed)}: choose another "
                "folder, or remove it"
            )


def _json_lines(rows: Sequence[Row]) -> str:
    lines = (json.dumps(row, allow_nan=False, ensure_ascii=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace").decode()


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
