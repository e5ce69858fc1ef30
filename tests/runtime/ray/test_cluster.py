"""A cluster of two nodes on this machine, whose parts are killed while they work.

It is one test, since a cluster takes long to start: whatever else runs on Ray is tried on it.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import tarfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'spikehalt[ray]'")

import ray
from ray.cluster_utils import Cluster

from runtime import Engine
from runtime.bulk.answer import Answering
from runtime.bulk.run import here
from runtime.bulk.shards import find_shards
from runtime.bundle import Bundle
from runtime.cli import main
from runtime.ray.bulk import on_ray
from spikehalt.ray import Predictor, serve
from spikehalt.ray.cluster import connected
from tests.deploy.pages import lines, python
from tests.runtime.bulk.store import GCS, KINDS, ObjectStore
from tests.runtime.serve.conftest import encoded, write_toy
from tests.runtime.serve.server import free_port
from tests.train.samples import quick_run
from train.loop.sweep import parse_axis, sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]
ROOT = Path(__file__).parents[3]
IMAGES, SHARD = 2000, 100
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
HEAD = {**NODE, "include_dashboard": False}
HOW = Answering({"policy": "halting", "threshold": 1.5}, batch=4)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A bundle and many pictures, one of which is none."""
    write_toy(tmp_path / "toy.bundle")
    (tmp_path / "photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 4, 4, 3), np.uint8)
    for number, each in enumerate(pixels):
        content = b"nothing" if number == 777 else encoded(each, "PNG")
        (tmp_path / f"photos/{number:04}.png").write_bytes(content)
    return tmp_path


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[Cluster]:
    monkeypatch.chdir(place)  # of the workers, too
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of the workers
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # other tests would go first
    for what in ("READY", "HEALTH"):  # a busy machine needs more than 5 s
        monkeypatch.setenv(f"RAY_SERVE_PROXY_{what}_CHECK_TIMEOUT_S", "60")
    for kind in KINDS:
        for name, value in kind.environment.items():
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_health_check_period_ms", "500")  # a dead node is soon missed
    cluster = Cluster(initialize_head=True, head_node_args=HEAD)
    try:
        add_node(cluster)
        with connected(cluster.address):
            yield cluster
    finally:
        cluster.shutdown()


def test_a_cluster_loses_nothing_when_its_parts_die(
    cluster: Cluster, place: Path, subtests: pytest.Subtests, capsys: pytest.CaptureFixture[str]
) -> None:
    with subtests.test("a node is killed in the middle"):
        check_that_a_killed_node_loses_no_image(cluster, place)
    with subtests.test("finished shards are not run again"):
        check_that_finished_shards_are_not_run_again(cluster, place, capsys)
    with subtests.test("a bucket is answered into a bucket"):
        check_that_a_bucket_is_answered_into_a_bucket(cluster, place, capsys)
    with subtests.test("points of a sweep are trained on both nodes"):
        check_that_a_sweep_trains_its_points_once(cluster, place)
    with subtests.test("Predictor under Ray's own readers"):
        check_the_predictor(place)
    with subtests.test("what docs/scaling.md prints"):
        check_what_the_page_prints(place, capsys)
    with serving() as address:
        with subtests.test("a replica is killed under load"):
            check_that_a_killed_replica_crosses_no_answer(address, place)
        with subtests.test("replicas follow the load"):
            check_that_replicas_follow_the_load(address, place)


def add_node(cluster: Cluster) -> None:
    """Another node; Ray gives one 30 s to start, which a busy machine may need more of."""
    for attempts_left in (2, 1, 0):
        try:
            cluster.add_node(**NODE)
        except Exception as error:  # Ray raises no other
            if not attempts_left or "timed out during startup" not in str(error):
                raise
        else:
            return


def busy() -> bool:
    """Whether every processor of the cluster is taken."""
    return float(ray.available_resources().get("CPU", 0)) == 0


def wait_until(true: Any, what: str, seconds: float = 60) -> None:
    begin = time.monotonic()
    while not true():
        assert time.monotonic() - begin < seconds, what
        time.sleep(0.05)


def second(cluster: Cluster) -> Any:
    """A node that is not the head."""
    (node,) = [each for each in cluster.list_all_nodes() if each is not cluster.head_node]
    return node


def check_that_a_killed_node_loses_no_image(cluster: Cluster, place: Path) -> None:
    bundle = Bundle.open(place / "toy.bundle")
    shards = find_shards([str(place / "photos")], bundle.manifest.input, SHARD)
    expected = {each.number: each for each in here(bundle, HOW)(shards)}
    answered: list[Any] = []
    for each in on_ray(bundle, HOW, cluster.address)(shards):
        answered.append(each)
        if len(answered) == 2:
            wait_until(busy, "the second node has no work")
            cluster.remove_node(second(cluster), allow_graceful=False)
    assert len(answered) == len(shards) == IMAGES // SHARD
    assert {each.number: each for each in answered} == expected
    rows = [json.loads(line) for each in answered for line in each.content.splitlines()]
    assert len(rows) == len({row["path"] for row in rows}) == IMAGES
    (bad,) = [row for row in rows if row["error"]]
    assert bad["path"].endswith("0777.png")
    add_node(cluster)


def check_that_finished_shards_are_not_run_again(
    cluster: Cluster, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyarrow import parquet

    line = ["run", str(place / "toy.bundle"), str(place / "photos"), "--out", str(place / "out")]
    line += ["--shard", "500", "--policy", "halting", "--threshold", "1.5", "--json"]
    assert main(line) == 1  # the picture that is none
    files = sorted((place / "out").glob("*.parquet"))
    local = [parquet.read_table(path) for path in files]
    kept = files[0].stat().st_mtime_ns
    for path in files[1:]:
        path.unlink()
    capsys.readouterr()
    assert main([*line, "--ray", cluster.address]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["shards"], told["shards_before"], told["images"]) == (4, 1, 1499)
    assert files[0].stat().st_mtime_ns == kept
    assert [parquet.read_table(path) for path in files] == local


def check_that_a_bucket_is_answered_into_a_bucket(
    cluster: Cluster, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = next((kind for kind in KINDS if kind.program), None)
    if kind is None:
        pytest.skip(GCS.reason)
    files = sorted((place / "photos").iterdir())[770:790]
    with ObjectStore(kind, place / "store.log") as store:
        store.fill({f"photos/{path.name}": path.read_bytes() for path in files})
        (printed,) = lines("spikehalt run toy.bundle s3:")
        line = [
            store.uri(each.removeprefix("s3://bucket/")) if each.startswith("s3:") else each
            for each in shlex.split(printed)[1:]
        ]
        line += [cluster.address, "--shard", "5", "--format", "jsonl", "--json"]
        capsys.readouterr()
        assert main(line) == 1  # the picture that is none
        told = json.loads(capsys.readouterr().out)
        assert (told["shards"], told["images"], told["unread"]) == (4, 19, 1)
        text = b"".join(store.read(f"answers/shard-{shard:06}.jsonl") for shard in range(4))
        rows = [json.loads(line) for line in text.splitlines()]
        assert [row["path"] for row in rows] == [
            f"{kind.scheme}://bucket/photos/{p.name}" for p in files
        ]
        assert [row["path"][-8:] for row in rows if row["error"]] == ["0777.png"]
        assert main(line) == 0
        assert json.loads(capsys.readouterr().out)["shards_before"] == 4


def check_that_a_sweep_trains_its_points_once(cluster: Cluster, place: Path) -> None:
    axes = [parse_axis("seed=1,2")]
    config = quick_run(place / "sweep", halting={"epochs": 0})
    points = list(sweep(config, axes, ray=cluster.address))
    assert [point.values["seed"] for point in points] == [1, 2]
    made = [point.checkpoint.stat().st_mtime_ns for point in points]
    assert list(sweep(config, axes, ray=cluster.address)) == points
    assert [point.checkpoint.stat().st_mtime_ns for point in points] == made
    assert len((place / "sweep/sweep.csv").read_text().splitlines()) == 3


def check_what_the_page_prints(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "photos/0777.png").unlink()
    for number in range(20, IMAGES):
        (place / f"photos/{number:04}.png").unlink(missing_ok=True)
    with tarfile.open(place / "photos.tar", "w") as archive:
        archive.add(place / "photos/0001.png", "0001.png")
    first, again = lines("spikehalt run toy.bundle photos ")
    assert main(shlex.split(first)[1:]) == 0
    assert "21 images" in capsys.readouterr().out
    assert main(shlex.split(again)[1:]) == 0
    assert "2 shards answered, 2 of them before" in capsys.readouterr().out
    exec(compile(python(), "docs/scaling.md", "exec"), {})
    assert "20 images answered" in capsys.readouterr().out


def check_the_predictor(place: Path) -> None:
    files = [str(place / f"photos/{number:04}.png") for number in range(776, 780)]
    answers = ray.data.read_binary_files(files, include_paths=True).map_batches(
        Predictor,
        fn_constructor_args=[str(place / "toy.bundle")],
        fn_constructor_kwargs=HOW.engine,
        concurrency=1,
    )
    rows = {row["path"]: row for row in answers.take_all()}
    assert sorted(rows) == files
    assert "not a readable image" in rows[files[1]]["error"] and rows[files[1]]["label"] == -1
    with Engine(place / "toy.bundle", **HOW.engine) as engine:
        expected = engine(pictures(776))
    assert rows[files[0]]["label"] == expected.labels[0]
    assert rows[files[0]]["timesteps"] == expected.timesteps[0]


def pictures(number: int) -> Any:
    """The pixels of a picture."""
    return np.random.default_rng(0).integers(0, 256, (IMAGES, 4, 4, 3), np.uint8)[number]


@contextmanager
def serving() -> Iterator[str]:
    """Ray Serve's proxy, without applications; yields its address."""
    from ray import serve as ray_serve  # warns when it is imported

    port = free_port()
    ray_serve.start(http_options={"host": "127.0.0.1", "port": port, "location": "HeadOnly"})
    yield f"http://127.0.0.1:{port}"
    ray_serve.shutdown()


@contextmanager
def application(place: Path, **asked: Any) -> Iterator[str]:
    """The toy bundle on Ray Serve; yields the application's name."""
    from ray import serve as ray_serve

    name = f"toy-{os.getpid()}-{asked['min_replicas']}"
    asked = {"bundles": str(place / "toy.bundle"), "policy": "halting", "threshold": "1.5", **asked}
    ray_serve.run(serve(asked), name=name)
    yield name
    ray_serve.delete(name)


def check_that_a_killed_replica_crosses_no_answer(address: str, place: Path) -> None:
    load = Load(f"{address}/classify", place)
    with application(place, min_replicas="2", max_replicas=2) as name, load:
        wait_until(lambda: load.answers > 40, "nothing is answered")
        before = replicas(name)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(set(replicas(name)) - set(before)) == 1, "it is not replaced")
        answers = load.answers
        wait_until(lambda: load.answers > answers + 40, "nothing is answered any more")
    assert load.wrong == []
    assert load.failures < 40  # what the killed replica had under way


def check_that_replicas_follow_the_load(address: str, place: Path) -> None:
    asked = {"target": 1, "upscale_delay_s": 1, "downscale_delay_s": 1}
    # Far from one request under way, above and below, however busy the machine is.
    high = Load(f"{address}/classify", place, clients=6)
    low = Load(f"{address}/classify", place, pause_s=2.0)
    with application(place, min_replicas=1, max_replicas=2, **asked) as name:
        assert len(replicas(name)) == 1
        with high:
            wait_until(lambda: len(replicas(name)) == 2, "there are no more replicas", 180)
            answers = high.answers
            wait_until(lambda: high.answers > answers + 40, "nothing is answered any more")
        with low:
            wait_until(lambda: len(replicas(name)) == 1, "there are no fewer replicas", 180)
            answers = low.answers
            wait_until(lambda: low.answers > answers + 4, "nothing is answered any more")
    for load in (high, low):
        assert (load.wrong, load.failures) == ([], 0)


def replicas(name: str) -> list[int]:
    """Processes of the replicas of an application."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(f"ray::ServeReplica:{name}:".encode()):
                found.append(int(path.parent.name))
        except OSError:  # it has just ended
            continue
    return found


class Load:
    """Clients that ask again and again, and compare each answer with the engine's own.

    Args:
        url: that is asked.
        place: where the pictures are.
        clients: how many there are.
        pause_s: between an answer and the next request.
    """

    def __init__(self, url: str, place: Path, clients: int = 2, pause_s: float = 0.0) -> None:
        self._url, self._pause_s = url, pause_s
        self._files = sorted((place / "photos").iterdir())[:20]
        pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 4, 4, 3), np.uint8)[:20]
        with Engine(place / "toy.bundle", **HOW.engine) as engine:
            self._expected = engine(pixels)
        self.answers, self.failures, self.wrong = 0, 0, list[Any]()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(part,)) for part in range(clients)
        ]

    def _ask(self, part: int) -> None:
        number = part
        while not self._stop.is_set():
            number = (number + 2) % len(self._files)
            request = urllib.request.Request(self._url, self._files[number].read_bytes())
            try:
                with urllib.request.urlopen(request, timeout=30) as response:
                    self._compare(number, json.load(response))
            except OSError:  # HTTP errors are some of these
                self.failures += 1
                time.sleep(0.05)
            time.sleep(self._pause_s)

    def _compare(self, number: int, answer: dict[str, Any]) -> None:
        expected = self._expected[number]
        same = (answer["label"], answer["timesteps"]) == (expected.label, expected.timesteps)
        if not same or abs(answer["probability"] - expected.probability) > 1e-5:
            self.wrong.append((number, answer))
        self.answers += 1

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
