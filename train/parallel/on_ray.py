"""Runs on a Ray cluster, one task each; the folder of the runs has to be one that all nodes see."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from spikehalt.ray.cluster import ClusterError, connected, go_to
from spikehalt.reading import reason

_RETRIES = 3  # when a node dies; the run goes on where it was saved last


def each_on_ray(
    address: str, work: Callable[..., Any], items: Sequence[Any], *, gpu: bool, shared: Any
) -> Iterator[tuple[int, Any]]:
    """Do work for each item, with a processor each; yields positions and outcomes as they come.

    Args:
        address: of the cluster, as for `spikehalt.ray.cluster.connected`.
        work: called with an item and what is shared.
        items: one task each.
        gpu: whether a task takes a GPU, where the cluster has any.
        shared: sent once.

    Raises:
        ClusterError: the cluster failed; what is done is done.
        SpikehaltError: what `work` raised.
    """
    with connected(address) as ray:
        gpus = int(gpu and ray.cluster_resources().get("GPU", 0) > 0)
        task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=_RETRIES)(_worked)
        given = (ray.put(work), ray.put(shared), os.getcwd())
        waiting = {task.remote(*given, item): place for place, item in enumerate(items)}
        while waiting:
            (done, *_), _ = ray.wait(list(waiting))
            yield waiting.pop(done), _outcome(ray, done)


def _worked(work: Callable[..., Any], shared: Any, folder: str, item: Any) -> Any:
    go_to(folder)
    return work(item, shared)


def _outcome(ray: Any, task: Any) -> Any:
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise ClusterError(f"the cluster failed: {reason(error)}") from error
