"""A checkpoint in PyTorch, as a runner of Polygraphy's comparator."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.comparison.measures import HALT_SCORE, LIVE_TOKENS, LOGITS
from export.comparison.runners import Batches, ComparedRunner
from export.comparison.spiking import Values
from export.comparison.torch_spikes import recorded_spikes
from runtime.bundle.manifest import Manifest
from train.models import SpikingTransformer


class PytorchRunner(ComparedRunner):
    """The checkpoint in PyTorch on the CPU, in float32.

    Args:
        manifest: of the bundle.
        network: the checkpoint's.
        batches: how the images are cut.
    """

    def __init__(self, manifest: Manifest, network: SpikingTransformer, batches: Batches) -> None:
        super().__init__("pytorch", manifest, batches)
        self._network = network

    def answers(self, data: NDArray[Any], *, spikes: bool) -> Values:
        """Logits and scores at every exit point, live tokens, spikes."""
        manifest, chunk = self._manifest, self._manifest.chunk
        tensor = torch.from_numpy(data)
        if manifest.input.kind == "image":
            tensor = tensor.permute(0, 3, 1, 2)
        with torch.no_grad(), recorded_spikes(self._network) as seen:
            output = self._network(tensor, manifest.halting.epsilon)
        live = torch.stack([(part > 0).sum(-1) for part in output.live], -1)
        answers = {
            LOGITS: output.logits.transpose(0, 1).numpy()[:, chunk - 1 :: chunk],
            HALT_SCORE: output.halt_score.transpose(0, 1).numpy()[:, chunk - 1 :: chunk],
            LIVE_TOKENS: live.transpose(0, 1).numpy().astype(np.int32),
        }
        return {**answers, **seen} if spikes else answers
