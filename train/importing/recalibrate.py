"""BatchNorm statistics of the user's images in place of a published network's.

An imported network may compute otherwise than the code that its statistics were taken with
(QKFormer's images no longer see each other in a batch): then currents have other means and
variances than BatchNorm expects. No weight changes, and no label is needed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from train.models.network import SpikingTransformer
from train.parallel.devices import exact_float32

BATCH = 32


@torch.no_grad()
@exact_float32()
def recalibrate(network: SpikingTransformer, images: Tensor, batch_size: int = BATCH) -> None:
    """Set every BatchNorm's mean and variance to their averages over batches of the images.

    Every layer sees what the layers before it compute with the batch's own statistics, as in
    training.

    Args:
        network: left in evaluation mode.
        images: uint8 [N, C, H, W], or frames [N, T, C, H, W].
        batch_size: images per pass; the last batch takes the rest too, so that none is a small one.
    """
    norms = [
        each for each in network.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)
    ]
    momenta = [each.momentum for each in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # averages that weigh all batches alike
        norm.train()
    for batch in images.tensor_split(max(1, len(images) // batch_size)):
        network(batch)
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
