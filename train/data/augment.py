"""Augmentation of training images on their device, by Kornia."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kornia.augmentation as K
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, one_hot

from train.config import AugmentConfig

Mixed = tuple[Tensor, Tensor]
Mixer = Callable[[Tensor, Tensor], Mixed]


def augmenter(config: AugmentConfig, size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """A function that augments images or event frames.

    Args:
        config: what to do; with nothing configured the images pass unchanged.
        size: height and width.

    Returns:
        From uint8 [B, C, H, W] to float pixel values 0..255, and from frames [B, T, C, H, W] to
        frames; all frames of a sample are transformed alike.
    """
    steps: list[nn.Module] = []
    if config.crop_padding:
        steps.append(K.RandomCrop(size, padding=config.crop_padding))
    if config.flip:
        steps.append(K.RandomHorizontalFlip())
    if config.rand_augment:
        steps.append(K.auto.RandAugment(n=config.rand_augment, m=9))
    if config.erase:
        steps.append(K.RandomErasing(p=config.erase))
    if not steps:
        return lambda images: images
    pipeline = K.AugmentationSequential(*steps, data_keys=["input"])

    def apply(images: Tensor) -> Tensor:
        if images.ndim == 5:
            return _over_frames(pipeline, images)
        result: Any = pipeline(images.float() / 255)
        return torch.clamp(result, 0, 1) * 255

    return apply


def scaled_to(side: int | None, images: Tensor) -> Tensor:
    """Images [B, C, H, W] as float [B, C, side, side], averaged over what a pixel covers.

    Args:
        side: in pixels; None leaves the images as they are.
        images: pixel values, uint8 or float.
    """
    if side is None:
        return images
    return interpolate(images.float(), (side, side), mode="bilinear", antialias=True)


def _over_frames(function: Callable[[Tensor], Any], frames: Tensor) -> Tensor:
    """`function` of [B, T * C, H, W] on frames [B, T, C, H, W]."""
    moved: Tensor = function(frames.flatten(1, 2))
    return moved.view(frames.shape)


def mixer(config: AugmentConfig, classes: int) -> Mixer | None:
    """Mixup and CutMix on a batch, each batch one of the configured two.

    Returns:
        A function from images [B, C, H, W] or frames [B, T, C, H, W] and labels int64 [B] to mixed
        float images or frames and shares of classes [B, N_c]; None where neither is configured.
    """
    active: list[Callable[[Tensor, Tensor], Any]] = []
    if config.mixup > 0:
        active.append(_mixup(config.mixup))
    if config.cutmix > 0:
        active.append(_cutmix(config.cutmix))
    if not active:
        return None

    def apply(images: Tensor, labels: Tensor) -> Mixed:
        mix = active[int(torch.randint(len(active), ()))]
        flat = images.float().flatten(1, -3)  # frames: all of a sample are mixed alike
        mixed, targets = mix(flat, labels)
        return mixed.view(images.shape), _shares(targets, classes)

    return apply


def _mixup(alpha: float) -> Callable[[Tensor, Tensor], Any]:
    """Kornia's mixup with the weights of the paper, Beta(alpha, alpha) (Zhang et al. 2018)."""
    module = K.RandomMixUpV2(data_keys=["input", "class"])
    beta = torch.distributions.Beta(alpha, alpha)

    def apply(images: Tensor, labels: Tensor) -> Any:
        parameters = module.forward_parameters(images.shape)
        weights = parameters["mixup_lambdas"]
        parameters["mixup_lambdas"] = beta.sample(weights.shape).to(weights)
        return module(images, labels, params=parameters)

    return apply


def _cutmix(alpha: float) -> Callable[[Tensor, Tensor], Any]:
    """Kornia's CutMix (Yun et al. 2019), whose corrected weight is the image's own."""
    module = K.RandomCutMixV2(beta=alpha, data_keys=["input", "class"], use_correct_lambda=True)

    def apply(images: Tensor, labels: Tensor) -> Any:
        mixed, targets = module(images, labels)
        label, other, own = targets.reshape(-1, 3).unbind(-1)
        return mixed, torch.stack([label, other, 1 - own], -1)

    return apply


def _shares(mixed: Tensor, classes: int) -> Tensor:
    """Kornia's rows (label, other label, weight of the other) as shares of classes [B, N_c]."""
    label, other = (one_hot(mixed[:, i].long(), classes).float() for i in (0, 1))
    weight = mixed[:, 2:]
    return (1 - weight) * label + weight * other
