"""A folder of results: a file a shard, there whole or not at all; and the plan they belong to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from runtime.bulk.folders import folder_at
from runtime.bulk.places import shown
from runtime.errors import InputError
from spikehalt.errors import ConfigError
from spikehalt.extras import require_extra
from spikehalt.reading import reading

_PLAN = "plan.json"


class Results:
    """A folder of results.

    Args:
        place: where they lie, a path or the URI of an object store; made if need be.
        form: one of `FORMATS`.
        plan: what they are results of, as plain JSON values.

    Raises:
        ConfigError: the folder holds results of another plan.
        OutputError: it cannot be written.
        InputError: there is no such kind of store, or it refuses.
        MissingExtraError: Parquet files and URIs need pyarrow.
    """

    def __init__(self, place: str | Path, form: str, plan: dict[str, Any]) -> None:
        self._place, self._form = shown(str(place)), form
        if form == "parquet":
            require_extra("pyarrow.parquet", "ray", "writing Parquet files")
        self._folder = folder_at(str(place))
        self._claim({**plan, "format": form})

    def finished(self) -> set[int]:
        """Numbers of the shards whose rows are there."""
        shard = re.compile(rf"shard-(\d+)\.{self._form}")
        found = (shard.fullmatch(name) for name in self._folder.names())
        return {int(each[1]) for each in found if each}

    def write(self, number: int, content: bytes) -> None:
        """Write the results of a shard, all at once."""
        self._folder.put(f"shard-{number:06}.{self._form}", content, "results")

    def _claim(self, plan: dict[str, Any]) -> None:
        if _PLAN not in self._folder.names():
            self._folder.put(_PLAN, (json.dumps(plan, indent=1) + "\n").encode(), "the plan")
            return
        with reading(f"{self._place}/{_PLAN}", InputError, "is no plan of results"):
            there = dict(json.loads(self._folder.read(_PLAN)))
            changed = [key for key in {**plan, **there} if plan.get(key) != there.get(key)]
        if changed:
            raise ConfigError(
                f"{self._place} holds results of another {', '.join(changed)} (its {_PLAN} says): "
                "choose another folder, or remove it"
            )
