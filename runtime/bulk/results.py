"""A folder of results: a file a shard, there whole or not at all; and the plan they belong to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from runtime.errors import InputError
from spikehalt.errors import ConfigError, OutputError
from spikehalt.extras import require_extra
from spikehalt.files import make_folder, put_file
from spikehalt.reading import reason

_PLAN = "plan.json"


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

    def write(self, number: int, content: bytes) -> None:
        """Write the results of a shard, all at once."""
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
