from __future__ import annotations

import pytest
import torch
from torch import Tensor

from train.config import AugmentConfig
from train.data.augment import augmenter, mixer, scaled_to

SIZE = (12, 16)


def pictures(count: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, *SIZE), generator=generator, dtype=torch.uint8)


def flat_pictures(count: int = 16) -> tuple[Tensor, Tensor]:
    """Picture i is all i * 10, of class i % 5."""
    levels = torch.arange(count) * 10.0
    return levels.view(-1, 1, 1, 1).expand(count, 3, *SIZE).clone(), torch.arange(count) % 5


def test_nothing_configured_leaves_the_images_as_they_are() -> None:
    images = pictures()
    assert augmenter(AugmentConfig(), SIZE)(images) is images
    assert mixer(AugmentConfig(), 5) is None


def test_scaled_images_average_the_pixels_that_they_cover() -> None:
    images, _ = flat_pictures()
    scaled = scaled_to(6, images)
    assert scaled.shape == (16, 3, 6, 6)
    torch.testing.assert_close(scaled[:, 0, 0, 0], images[:, 0, 0, 0])
    checks = torch.tensor([0.0, 200.0]).repeat(8).expand(1, 1, 16, 16)
    assert (scaled_to(4, checks) - 100).abs().max() < 15
    assert scaled_to(None, images) is images


def test_flips_are_flips_of_some_images() -> None:
    torch.manual_seed(0)
    images = pictures()
    out = augmenter(AugmentConfig(flip=True), SIZE)(images)
    same = (out.round() == images).flatten(1).all(1)
    mirrored = (out.round() == images.flip(-1)).flatten(1).all(1)
    assert (same | mirrored).all() and same.any() and mirrored.any()


def test_crops_are_shifts_with_zero_padding() -> None:
    torch.manual_seed(0)
    images = pictures(4)
    out = augmenter(AugmentConfig(crop_padding=2), SIZE)(images).round()
    padded = torch.nn.functional.pad(images.float(), (2, 2, 2, 2))
    height, width = SIZE
    for image, source in zip(out, padded, strict=True):
        shifts = [source[:, y : y + height, x : x + width] for y in range(5) for x in range(5)]
        assert any(torch.equal(image, shift) for shift in shifts)


def test_random_operations_keep_pixel_values_in_range() -> None:
    torch.manual_seed(0)
    out = augmenter(AugmentConfig(rand_augment=2), SIZE)(pictures())
    assert out.shape == (16, 3, *SIZE) and out.min() >= 0 and out.max() <= 255
    assert (out.round() != pictures()).any()


@pytest.mark.parametrize("config", [AugmentConfig(mixup=0.5), AugmentConfig(cutmix=1.0)])
def test_shares_are_those_of_the_pixels(config: AugmentConfig) -> None:
    """Every image's mean level tells how much of which two images is in it."""
    torch.manual_seed(1)
    mix = mixer(config, 5)
    assert mix is not None
    images, labels = flat_pictures()
    mixed, shares = mix(images, labels)
    torch.testing.assert_close(shares.sum(-1), torch.ones(16))
    own = labels == shares.argmax(-1)
    assert (shares > 0).sum(-1).max() == 2 and 2 <= own.sum() <= 15
    kept = (mixed == images).float().flatten(1).mean(1) if config.cutmix else None
    for index in range(16):
        share = float(shares[index, labels[index]])
        other = int(shares[index].clone().index_fill_(0, labels[index], 0).argmax())
        if share > 0.999:  # a weight too small to measure, or two images of one class
            continue
        if kept is not None:
            assert share == pytest.approx(float(kept[index]), abs=1e-5)
            continue
        level = (float(mixed[index].mean()) - share * 10 * index) / (1 - share) / 10
        assert round(level) % 5 == other and level == pytest.approx(round(level), abs=1e-2)


def test_both_mixings_take_turns() -> None:
    torch.manual_seed(0)
    mix = mixer(AugmentConfig(mixup=1.0, cutmix=1.0), 5)
    assert mix is not None
    images, labels = flat_pictures()
    uniform = [
        bool((m[0] == m[0][..., :1, :1]).all()) for m in (mix(images, labels) for _ in range(8))
    ]
    assert any(uniform) and not all(uniform)


def test_all_frames_of_a_sample_move_alike_and_keep_their_counts() -> None:
    torch.manual_seed(0)
    frames = torch.randint(0, 9, (6, 1, 2, *SIZE)).float().expand(-1, 3, -1, -1, -1)
    out = augmenter(AugmentConfig(flip=True, crop_padding=2), SIZE)(frames)
    assert out.shape == frames.shape and torch.equal(out, out.round()) and out.max() > 1
    assert all(torch.equal(out[:, 0], out[:, t]) for t in (1, 2))
    assert not torch.equal(out, frames)


def test_frames_are_mixed_like_images() -> None:
    torch.manual_seed(0)
    mix = mixer(AugmentConfig(mixup=1.0), 5)
    assert mix is not None
    images, labels = flat_pictures(8)
    mixed, shares = mix(images.unsqueeze(1).expand(-1, 4, -1, -1, -1), labels)
    assert mixed.shape == (8, 4, 3, *SIZE) and shares.shape == (8, 5)
    assert torch.equal(mixed[:, 0], mixed[:, 3]) and not torch.equal(mixed[:, 0], images)
