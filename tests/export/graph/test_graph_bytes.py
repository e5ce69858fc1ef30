"""The bytes of exported graphs: a change that was not meant to change graphs changes none.

`graph_bytes.json` holds one hash per architecture, stem, halting mode, merging rate and kind of
input, and in it per layout, chunk and precision. Where graphs are meant to change, write it anew:

    python -m tests.export.graph.test_graph_bytes
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from tests.export.dyadic import TIMESTEPS, dyadic_config, dyadic_network
from train.config import ModelConfig, StemConfig

LIST = Path(__file__).with_name("graph_bytes.json")
ARCHITECTURES = ("spikformer", "spikingformer", "sdt")
PRECISIONS: dict[str, dict[str, Any]] = {
    "fp32": {},
    "fp16": {"precision": "fp16"},
    "int8": {"precision": "int8"},
    "int8 qdq": {"precision": "int8", "qdq": True},
    "fp32 instrumented": {"instrument": True},
    "fp32 live masks": {"live_masks": True},
}


@dataclass(frozen=True)
class Network:
    """One network of the list."""

    arch: str
    stem: str
    mode: str
    gamma: int
    changes: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        changed = "".join(f", {name}" for name, _ in self.changes)
        return f"{self.arch}, {self.stem}, {self.mode}, gamma {self.gamma}{changed}"

    def config(self) -> ModelConfig:
        config = dyadic_config(self.arch, self.stem, self.mode, self.gamma)
        return replace(config, **dict(self.changes))


def networks() -> Iterator[Network]:
    for arch in ARCHITECTURES:
        for stem in ("sps", "isps"):
            yield Network(arch, stem, "none", 0)
            yield Network(arch, stem, "none", 3)
            yield Network(arch, stem, "block", 0)
            yield Network(arch, stem, "block_time", 0)
            yield Network(arch, stem, "block_time", 3)
            pooled = StemConfig(kind=stem, pool=(True, False, False, True))
            yield Network(arch, stem, "block_time", 0, (("stem", pooled),))
            if arch == "spikformer":
                yield Network(arch, stem, "block_time", 0, (("merge_threshold", 0.9),))
        frames = (("input", "frames"), ("channels", 2))
        yield Network(arch, "sps", "block_time", 3, frames)
        yield Network(arch, "sps", "none", 0, (("head_lif", True),))


def cases(mode: str) -> Iterator[tuple[str, int, str]]:
    """Layout, chunk and precision: everything at chunk 2, fp32 at every chunk."""
    for layout in ("dense",) if mode == "block" else ("packed", "dense", "lagged"):
        for precision in PRECISIONS:
            yield layout, 2, precision
        yield layout, 1, "fp32"
        yield layout, TIMESTEPS, "fp32"


def hashes(network: Network) -> dict[str, str]:
    """The hash of each case's graphs, or the refusal's words."""
    plan = make_plan(dyadic_network(network.config()))
    found = {}
    for layout, chunk, precision in cases(network.mode):
        given = {"spike_ops": False, "live_masks": False, **PRECISIONS[precision]}
        options = ExportOptions(chunk=chunk, layout=layout, **given)
        found[f"{layout}, chunk {chunk}, {precision}"] = digest(plan, options)
    return found


def digest(plan: Any, options: ExportOptions) -> str:
    try:
        models = unroll(plan, options)
    except Exception as error:
        return f"{type(error).__name__}"
    total = hashlib.sha256()
    for name in sorted(models):
        total.update(name.encode() + models[name].SerializeToString(deterministic=True))
    return total.hexdigest()[:16]


@pytest.mark.parametrize("network", list(networks()), ids=str)
def test_graphs_have_the_bytes_of_the_list(network: Network) -> None:
    assert hashes(network) == json.loads(LIST.read_text())[str(network)]


def test_the_list_has_every_network_and_no_other() -> None:
    assert sorted(json.loads(LIST.read_text())) == sorted(map(str, networks()))


if __name__ == "__main__":
    content = {str(network): hashes(network) for network in networks()}
    LIST.write_text(json.dumps(content, indent=1) + "\n")
