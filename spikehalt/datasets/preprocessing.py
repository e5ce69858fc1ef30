"""How an image file becomes pixels: what training did, and what a bundle does by itself."""

from __future__ import annotations

from dataclasses import dataclass

from spikehalt.vocabulary import ChannelOrder, Fit, Interpolation, Orientation


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """From an image file to uint8 pixels 0..255 of the size and channels that a model takes.

    Attributes:
        fit: stretch images of another size (`resize`), or cut out their centre (`crop`).
        crop_share: of the sides of what `crop` cuts out, how much is kept; 0.875 is the usual
            "scale to 256, cut out 224".
        interpolation: Pillow's filter that scales images.
        orientation: turn images as their EXIF orientation says (`upright`), or not (`stored`).
        channel_order: of colours, as Pillow gives them (`rgb`) or as OpenCV does (`bgr`).
    """

    fit: Fit = "resize"
    crop_share: float = 1.0
    interpolation: Interpolation = "bilinear"
    orientation: Orientation = "upright"
    channel_order: ChannelOrder = "rgb"

    def describe(self) -> str:
        """All of it, in one line for people."""
        cut = f" {self.crop_share:g}" if self.crop_share != 1 else ""
        parts = (f"{self.fit}{cut}", self.interpolation, self.orientation, self.channel_order)
        return f"{', '.join(parts)}, uint8 0..255"
