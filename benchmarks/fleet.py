"""What many images cost, on this machine and on a cluster that is planned from it.

    python -m benchmarks.fleet BUNDLE SOURCE                    processor time of an image, a plan
    python -m benchmarks.fleet BUNDLE SOURCE --nodes 1 2        and Ray's, one processor a node

Costs are processor time, which other programs on the machine hardly change. The plan is
arithmetic: so many nodes of so many processors, whose network, reader and head take what was
measured here of an image and of a shard.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.table import Row, Table, console, number, words
from runtime.bulk.answer import Answering, answer_shard
from runtime.bulk.reading import read_shard
from runtime.bulk.results import Results
from runtime.bulk.shards import Shard, find_shards, suffixes_of
from runtime.bundle import Bundle
from runtime.cli.options import positive
from runtime.engine import Engine
from runtime.errors import InputError
from spikehalt.commands import Parser

HOW = Answering({"threads": 1, "spin": False}, batch=64, form="parquet")
SHARD = 1000  # images, as `spikehalt run --out` makes them


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes:
        images: how many.
        read_s: processor time of reading the bytes of an image.
        image_s: of an image, read, decoded and answered.
        image_bytes: of its file.
        result_bytes: of its row, compressed.
        write_s: of the head's, to write the results of a shard.
        shard_s: of the head's, for a shard besides that, Ray's loop included, which also waits by
            looking: the slower the shards come, the more of it; None: not measured.
        start_s: until an actor answers; None: not measured.
    """

    images: int
    read_s: float
    image_s: float
    image_bytes: float
    result_bytes: float
    write_s: float
    shard_s: float | None = None
    start_s: float | None = None


@dataclass(frozen=True)
class Plan:
    """A cluster.

    Attributes:
        nodes: how many.
        processors: of each.
        gigabits: per second, of the network of each.
    """

    nodes: int
    processors: int = 16
    gigabits: float = 10.0


@dataclass(frozen=True)
class Forecast:
    """What a plan comes to.

    Attributes:
        computed: images/s that the processors answer.
        network: images/s that the nodes' networks bring.
        head: images/s that the head hands out and writes, in shards of `SHARD` images.
        shard: images that a shard needs for the head to keep up with the processors.
        limit: which of the three is the least.
    """

    computed: float
    network: float
    head: float
    shard: int
    limit: str

    @property
    def images_per_s(self) -> float:
        """The least of the three."""
        return min(self.computed, self.network, self.head)


def forecast(costs: Costs, plan: Plan) -> Forecast:
    """What a cluster would do, where nothing else is in its way."""
    computed = plan.nodes * plan.processors / costs.image_s
    network = plan.nodes * plan.gigabits * 1e9 / 8 / costs.image_bytes
    per_shard_s = costs.write_s + (costs.shard_s or 0.0)
    head = SHARD / per_shard_s
    shard = math.ceil(per_shard_s * computed)
    limits = {"processors": computed, "network": network, "head": head}
    return Forecast(computed, network, head, shard, min(limits, key=limits.__getitem__))


def main(argv: list[str] | None = None) -> int:
    """Measure, plan, and print two tables; returns the exit status."""
    parser = Parser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("bundle", metavar="BUNDLE", type=Path)
    parser.add_argument("source", metavar="SOURCE", help="images, as for `spikehalt run --out`")
    parser.add_argument(
        "--shard", metavar="N", type=positive, default=500, help="images of a shard (default 500)"
    )
    parser.add_argument(
        "--nodes",
        metavar="N",
        type=positive,
        nargs="*",
        default=[],
        help="measure Ray with so many",
    )
    parser.add_argument(
        "--planned", metavar="N", type=positive, nargs="*", default=[1, 10, 100], help="nodes"
    )
    parser.add_argument(
        "--processors",
        metavar="N",
        type=positive,
        default=16,
        help="of a planned node (default 16)",
    )
    parser.add_argument(
        "--gigabits", metavar="N", type=positive, default=10, help="of its network (default 10)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead")
    arguments = parser.parse_args(argv)
    bundle = Bundle.open(arguments.bundle)
    shards = find_shards([arguments.source], bundle.manifest.input, arguments.shard)
    costs = measure(bundle, shards)
    clusters = [on_cluster(bundle, shards, nodes) for nodes in arguments.nodes]
    costs = with_overhead(costs, clusters, len(shards))
    plans = [Plan(each, arguments.processors, arguments.gigabits) for each in arguments.planned]
    if arguments.json:
        plain = {
            "costs": vars(costs),
            "clusters": [vars(each) for each in clusters],
            "plans": [{**vars(plan), **vars(forecast(costs, plan))} for plan in plans],
        }
        console.print_json(json.dumps(plain))
        return 0
    for table, rows in tables(costs, clusters, plans):
        table.print(rows)
    return 0


def measure(bundle: Bundle, shards: list[Shard]) -> Costs:
    """Processor time of reading, answering and writing, each shard by itself in this process."""
    suffixes = suffixes_of(bundle.manifest.input)
    sizes, read_s = 0, 0.0
    begin = time.process_time()
    images = 0
    for shard in shards:
        for _, content in read_shard(shard, suffixes):
            images += 1
            sizes += 0 if isinstance(content, InputError) else len(content)
    read_s = time.process_time() - begin
    with Engine(bundle, max_batch=HOW.batch, **HOW.engine) as engine:
        answer_shard(engine, shards[0], HOW)  # warms up
        begin = time.process_time()
        answered = [answer_shard(engine, shard, HOW) for shard in shards]
        answer_s = time.process_time() - begin
    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(folder), "parquet", {})
        begin = time.process_time()
        for each in answered:
            results.write(each.number, each.content)
        write_s = time.process_time() - begin
        written = sum(path.stat().st_size for path in Path(folder).glob("*.parquet"))
    return Costs(
        images, read_s / images, answer_s / images, sizes / images, written / images,
        write_s / len(shards),
    )  # fmt: skip


@dataclass(frozen=True)
class Cluster:
    """What a cluster on this machine did.

    Attributes:
        nodes: of one processor each.
        seconds: from the first shard that was answered to the last.
        images_per_s: in that time.
        head_s: processor time of this process in it.
        start_s: until the first shard.
    """

    nodes: int
    seconds: float
    images_per_s: float
    head_s: float
    start_s: float


def on_cluster(bundle: Bundle, shards: list[Shard], nodes: int) -> Cluster:
    """Ray on this machine, whose nodes have one processor each."""
    from ray.cluster_utils import Cluster as RayCluster

    from runtime.ray.bulk import on_ray
    from spikehalt.ray.cluster import connected

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    os.environ |= {"PYTHONPATH": str(Path(__file__).parents[1]), "RAY_worker_niceness": "0"}
    ray = RayCluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        for _ in range(nodes - 1):
            ray.add_node(**node)
        with connected(ray.address):
            begin = time.perf_counter()
            answers = on_ray(bundle, HOW, ray.address)(shards)
            return _timed(nodes, iter(answers), begin)
    finally:
        ray.shutdown()


def _timed(nodes: int, answers: Iterator[Any], begin: float) -> Cluster:
    next(answers)
    first, used = time.perf_counter(), time.process_time()
    images = sum(each.images + each.unread for each in answers)
    seconds, used = time.perf_counter() - first, time.process_time() - used
    return Cluster(nodes, seconds, images / seconds, used, first - begin)


def with_overhead(costs: Costs, clusters: list[Cluster], shards: int) -> Costs:
    """The costs, with what Ray adds where it was measured."""
    if not clusters:
        return costs
    shard_s = max(each.head_s for each in clusters) / max(shards - 1, 1)
    start_s = max(each.start_s for each in clusters)
    return Costs(**{**vars(costs), "shard_s": shard_s, "start_s": start_s})


def tables(
    costs: Costs, clusters: list[Cluster], plans: list[Plan]
) -> Iterator[tuple[Table, list[Row]]]:
    """What was measured, and what is planned from it."""
    facts = {
        "an image read, decoded and answered (ms)": 1e3 * costs.image_s,
        "of which reading (ms)": 1e3 * costs.read_s,
        "its file (kB)": costs.image_bytes / 1e3,
        "its row of results (kB)": costs.result_bytes / 1e3,
        "writing a shard's results, on the head (ms)": 1e3 * costs.write_s,
    }
    if costs.shard_s is not None and costs.start_s is not None:
        facts["a shard besides, on the head (ms)"] = 1e3 * costs.shard_s
        facts["until the first shard (s)"] = costs.start_s
    facts |= {f"{each.nodes} node(s) on Ray (images/s)": each.images_per_s for each in clusters}
    columns = [words(f"processor time, {costs.images} images"), number("measured", "value", ",.3f")]
    yield Table("", columns), [Row(name, {"value": value}) for name, value in facts.items()]
    names = ("computed", "network", "head", "shard", "limit")
    columns = [
        words("planned"), number("processors: images/s", "computed", ",.0f"),
        number("network: images/s", "network", ",.0f"),
        number(f"head: images/s, shards of {SHARD}", "head", ",.0f"),
        number("shard for more", "shard", ",.0f"), words("limit", "limit"),
    ]  # fmt: skip
    rows = []
    for plan in plans:
        found = forecast(costs, plan)
        what = f"{plan.nodes} nodes × {plan.processors} processors, {plan.gigabits:g} Gbit/s"
        rows.append(Row(what, {name: getattr(found, name) for name in names}))
    yield Table("", columns), rows


if __name__ == "__main__":
    raise SystemExit(main())
