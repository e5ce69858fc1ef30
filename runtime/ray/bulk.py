"""Shards answered by actors on all nodes; those of a node that dies are answered by another."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from runtime.bulk.answer import Answered, Answering, answer_shard
from runtime.bulk.run import Answerer
from runtime.bulk.shards import Shard
from runtime.bundle import Bundle
from runtime.engine import Engine
from runtime.ray.shipping import Shipped, pack
from spikehalt.extras import require_extra
from spikehalt.ray.cluster import ClusterError, connected, go_to
from spikehalt.reading import reason

_MOST_BLOCKS = 2000  # more shards than that are handed out several at a time


def on_ray(bundle: Bundle, how: Answering, address: str) -> Answerer:
    """Answers on a cluster, by as many actors as it has processors (or GPUs) for.

    Every node reads the sources by itself; the bundle comes to it through Ray.

    Args:
        bundle: what answers.
        how: its arguments.
        address: of the cluster, as for `spikehalt.ray.cluster.connected`.
    """
    how = replace(how, engine={"threads": 1, **_given(how.engine)})

    def answer(shards: Sequence[Shard]) -> Iterator[Answered]:
        with connected(address) as ray:
            yield from _answers(ray, ray.put(pack(bundle)), how, shards)

    return answer


def _given(engine: dict[str, Any]) -> dict[str, Any]:
    """What an engine elsewhere is told; who signed the bundle was checked here."""
    return {
        name: value
        for name, value in engine.items()
        if value is not None and name not in ("public_key", "min_release")
    }


def _answers(ray: Any, bundle: Any, how: Answering, shards: Sequence[Shard]) -> Iterator[Answered]:
    data = require_extra("ray.data", "ray", "running on Ray")
    context = data.DataContext.get_current()
    context.enable_progress_bars, context.print_on_execution_start = False, False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    needs, actors = _needs(ray, how.engine)
    items = [{"shard": shard.to_json()} for shard in shards]
    rows = data.from_items(items, override_num_blocks=min(len(items), _MOST_BLOCKS)).map_batches(
        _Answerer,
        fn_constructor_args=[[bundle], how, os.getcwd()],
        batch_size=1,
        concurrency=(1, min(actors, len(items))),
        **needs,
    )
    try:
        for row in rows.iter_rows():
            yield Answered(**{**row, "classes": json.loads(row["classes"])})
    except ray.exceptions.RayError as error:
        raise ClusterError(f"the cluster failed: {reason(error)}") from error


def _needs(ray: Any, engine: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """What an actor takes of a node, and how many the cluster has place for."""
    have = ray.cluster_resources()
    threads = int(engine["threads"])
    actors = int(have.get("CPU", 1) // threads)
    if not str(engine.get("device", "")).startswith("cuda"):
        return {"num_cpus": threads}, max(actors, 1)
    gpus = int(have.get("GPU", 0))
    return {"num_cpus": threads, "num_gpus": 1}, max(min(actors, gpus), 1)


class _Answerer:
    """An engine on a node."""

    def __init__(self, bundle: list[Any], how: Answering, folder: str) -> None:
        import ray

        go_to(folder)
        self._shipped: Shipped = ray.get(bundle[0])
        self._how = how
        root = self._shipped.unpack()
        self._engine = Engine(root, max_batch=how.batch, **how.engine)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        shards = [Shard.from_json(text) for text in batch["shard"]]
        answers = [vars(answer_shard(self._engine, each, self._how)) for each in shards]
        for answer in answers:
            answer["classes"] = json.dumps(answer["classes"])
        return {name: [answer[name] for answer in answers] for name in answers[0]}
