"""How long each patch of an image stayed alive, laid over the image (AT-SNN fig. 5)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from train.figures.canvas import canvas


def draw_heatmaps(images: Tensor, alive: Tensor, grid: tuple[int, int]) -> Any:
    """One column per image: the image, then one map per timestep.

    Args:
        images: uint8 [B, C, H, W].
        alive: whether the token of each patch ran, [L, T, B, K_0].
        grid: patches vertically and horizontally.

    Returns:
        A matplotlib figure; a map's value is the share of blocks in which the patch ran.
    """
    share = alive.float().mean(0).unflatten(-1, grid)  # [T, B, h, w]
    timesteps, count = share.shape[:2]
    figure, axes = canvas(1.6 * count + 0.8, 1.6 * (timesteps + 1), timesteps + 1, count)
    for column in range(count):
        picture = images[column].permute(1, 2, 0).cpu().numpy()
        axes[0][column].imshow(picture.squeeze(), cmap="gray")
        for t in range(timesteps):
            drawn = axes[t + 1][column].imshow(
                share[t, column].cpu().numpy(), vmin=0, vmax=1, cmap="magma"
            )
    for row in range(timesteps + 1):
        axes[row][0].set_ylabel("image" if row == 0 else f"t = {row}")
        for axis in axes[row]:
            axis.set_xticks([])
            axis.set_yticks([])
    figure.colorbar(drawn, ax=axes[1:].ravel().tolist(), label="share of blocks run")
    return figure
