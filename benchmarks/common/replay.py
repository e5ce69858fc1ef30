"""Token and timestep counts of a trained model, replayed in another one of the same T and L.

Timing a large halting network needs live sets that a trained model really has. Until there is a
large trained one, the sets that the trained digits model has on real images are recorded and
imposed: the graph takes, in place of the halting history, scores that halt each token in the
recorded block. All other work of halting (score, accumulation, packing, readout) is done as usual.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.densities import Densities, measure_densities
from export.bundle.write import export_bundle
from export.graph import tokens as tokens_module
from export.graph.emitter import Emitter
from export.options import ExportOptions
from runtime import Engine
from train.checkpoint import load_checkpoint
from train.config import HaltingConfig

# Halting scores of zero: the replayed history alone decides.
SILENT = HaltingConfig(mode="block_time", alpha=0.0, beta=-1e4)
HALTS = 2.0
DENSITY_IMAGES = 256


@dataclass(frozen=True)
class Replay:
    """Live sets and exits, recorded on real images.

    Attributes:
        last_block: int [N, T, K], 1-based number of the block in which the token halts.
        timesteps: int [N], how many the calibrated exit policy ran.
        blocks: L.
        densities: how densely its neurons fired; None where that is not imposed.
    """

    last_block: NDArray[np.int64]
    timesteps: NDArray[np.int64]
    blocks: int
    densities: Densities | None = None

    @property
    def live(self) -> NDArray[np.int64]:
        """Live tokens per image, timestep and block, [N, T, L]."""
        numbers = np.arange(1, self.blocks + 1)
        return np.asarray((self.last_block[:, :, None, :] >= numbers[:, None]).sum(-1))

    def tokens(self, *, early_exit: bool) -> float:
        """Live tokens over K, averaged over blocks, executed timesteps and images."""
        share = self.live.mean(-1) / self.last_block.shape[-1]
        run = np.arange(share.shape[1]) < self.timesteps[:, None]
        return float(share[run].mean() if early_exit else share.mean())

    def sample(self, count: int) -> Replay:
        """Pick images at equal steps of the recorded cost, in a fixed random order."""
        order = np.lexsort((self.live.sum((1, 2)), self.timesteps))
        picked = order[((np.arange(count) + 0.5) * len(order) / count).astype(int)]
        picked = np.random.default_rng(0).permutation(picked)
        return replace(self, last_block=self.last_block[picked], timesteps=self.timesteps[picked])

    def stretched(self, blocks: int, tokens: int) -> Replay:
        """Return the sets for another depth or token count, by nearest block and token."""
        to_block = _nearest(blocks, self.blocks) + 1  # recorded block of each new one, 1-based
        ran = self.last_block[..., None] >= to_block  # [N, T, K, L']
        slots = _nearest(tokens, self.last_block.shape[-1])
        densities = self.densities and self.densities.stretched(blocks)
        return Replay(ran.sum(-1)[..., slots], self.timesteps, blocks, densities)

    def inputs(
        self, images: NDArray[np.int64], start: int, chunk: int = 1
    ) -> dict[str, NDArray[np.float32]]:
        """Graph inputs for these images at `chunk` timesteps from `start` (from 0) on."""
        return {
            _input_name(number, step): np.where(
                self.last_block[images, start + step] == number, HALTS, 0.0
            ).astype(np.float32)
            for step in range(chunk)
            for number in range(1, self.blocks + 1)
        }

    def save(self, path: Path) -> None:
        """Write to an .npz file."""
        shares = self.densities
        fired: dict[str, Any] = {}
        if shares is not None:
            fired = {"stem_shares": shares.stem, "block_shares": shares.blocks}
        counts: dict[str, Any] = {"last_block": self.last_block, "timesteps": self.timesteps}
        np.savez(path, blocks=self.blocks, **counts, **fired)

    @classmethod
    def load(cls, path: Path) -> Replay:
        """Read what `save` wrote."""
        with np.load(path) as data:
            fired = "stem_shares" in data
            densities = Densities(data["stem_shares"], data["block_shares"]) if fired else None
            return cls(data["last_block"], data["timesteps"], int(data["blocks"]), densities)


def _nearest(new: int, old: int) -> NDArray[np.int64]:
    """Index among `old` of each of `new` equal parts, by their middles."""
    return np.asarray(((np.arange(new) + 0.5) * old / new).astype(np.int64))


def record(folder: Path, images: NDArray[np.uint8]) -> Replay:
    """Live sets and exits of the model that `benchmarks.demo` left in `folder`."""
    with Engine(folder / "halting.bundle") as engine:
        timesteps = engine(images).timesteps
    with tempfile.TemporaryDirectory() as temporary:
        options = ExportOptions(live_masks=True)
        bundle = export_bundle(folder / "halting.pt", Path(temporary) / "masks.bundle", options)
        with Engine(bundle.root, policy="never") as engine:
            masks = engine(images, live_masks=True).live_masks
    assert masks is not None
    live = np.stack(masks, 2)  # [N, T, L, K]
    network = load_checkpoint(folder / "halting.pt").network().eval()
    planes = torch.from_numpy(images[:DENSITY_IMAGES]).permute(0, 3, 1, 2)
    densities = measure_densities(network, planes)
    return Replay(live.sum(2).astype(np.int64), timesteps, live.shape[2], densities)


@contextmanager
def imposed() -> Iterator[None]:
    """Let graphs that are unrolled inside take their halting history as inputs."""
    seen: Counter[tuple[str, int]] = Counter()  # timesteps of a graph's block so far

    def history(e: Emitter, number: int, slots: int) -> str:
        step = seen[e.graph.name, number]
        seen[e.graph.name, number] += 1
        name = _input_name(number, step % e.steps.count)  # of each network unrolled inside
        return e.graph.input(name, tokens_module.FLOAT, ["B", slots])

    with mock.patch.object(tokens_module, "_history", history):
        yield


def _input_name(number: int, step: int) -> str:
    """Name the input of block `number` at timestep `step` (from 0) of the chunk."""
    return f"replay.block{number}.t{step + 1}"
