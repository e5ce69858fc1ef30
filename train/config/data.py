"""Images: where they come from, and what changes them in training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.vocabulary import ChannelOrder, Fit, Interpolation, Orientation
from train.config.checks import require


@dataclass(frozen=True)
class AugmentConfig:
    """Augmentation of training images, on the device (Kornia).

    Attributes:
        crop_padding: pixels of zero padding before a random crop back to size.
        flip: random horizontal flips.
        rand_augment: random colour and geometry operations per image; 0 = none.
        erase: probability that a rectangle of an image is blanked.
        mixup: alpha of mixup's Beta distribution; 0 = none.
        cutmix: alpha of CutMix's Beta distribution; 0 = none.
        mixup_off_epoch: epochs of the run, counted over both phases, after which mixup and CutMix
            are off, like timm's option of that name; 0 = never off.
    """

    crop_padding: int = 0
    flip: bool = False
    rand_augment: int = 0
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mixup_off_epoch: int = 0

    def __post_init__(self) -> None:
        require(self.crop_padding >= 0, f"crop_padding is {self.crop_padding}, must be >= 0")
        require(self.rand_augment >= 0, f"rand_augment is {self.rand_augment}, must be >= 0")
        require(0 <= self.erase <= 1, f"erase is {self.erase}, a probability in [0, 1]")
        for name in ("mixup", "cutmix"):
            alpha = getattr(self, name)
            require(alpha >= 0, f"{name} is {alpha}, must be >= 0 (0 = none)")
        require(
            self.mixup_off_epoch >= 0,
            f"mixup_off_epoch is {self.mixup_off_epoch}, must be >= 0 (0 = mix to the end)",
        )


DatasetName = Literal[
    "digits", "folder", "events", "cifar", "tiny-imagenet", "webdataset", "huggingface"
]
STREAMED: tuple[DatasetName, ...] = ("folder", "events", "tiny-imagenet", "webdataset")
IMAGE_FILES: tuple[DatasetName, ...] = ("folder", "tiny-imagenet", "webdataset", "huggingface")


@dataclass(frozen=True)
class DataConfig:
    """Where the images come from.

    Attributes:
        name: `digits` (ships with scikit-learn); `folder` (a folder or zip of `train/<class>/…`,
            `val/<class>/…` and `test/<class>/…`); `events` (`.npz` frames, laid out the same, or as
            SpikingJelly's converters leave them); `cifar` (an original CIFAR-10 or -100 archive);
            `tiny-imagenet` (the original zip); `webdataset` (a folder of `train/*.tar` and
            `val/*.tar`, images with `.cls` files beside them); `huggingface` (a set of the Hugging
            Face hub, or one saved to disk).
        path: the folder, zip, archive, or name on the hub.
        validation_fraction: part of the training images held out to choose thresholds by, where
            the data set has no validation part.
        test_fraction: part of each class held out for testing, where the data set has no test part.
        fit: stretch images of another size (`resize`), or cut out their centre (`crop`; in whole
            pixels, as torchvision and timm do: `resize_crop`).
        crop_share: share of each side that a crop keeps; 0.875 is the usual "scale to 256, cut out
            224".
        interpolation: Pillow's filter that scales images.
        orientation: turn images as their EXIF orientation says (`upright`), or not (`stored`).
        channel_order: of colours, as Pillow gives them (`rgb`) or as OpenCV does (`bgr`).
        stream: read images while training instead of holding them all on the device.
        workers: processes that read streamed images; 0 reads in the training process.
        skip_unreadable: share of the training files that may be unreadable; those are left out and
            counted; 0 = none; the option without a value means 0.05.
        augment: augmentation of the training images.
    """

    name: DatasetName = "digits"
    path: str = field(default="", metadata={"metavar": "PATH"})
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    fit: Fit = "resize"
    crop_share: float = 1.0
    interpolation: Interpolation = "bilinear"
    orientation: Orientation = "upright"
    channel_order: ChannelOrder = "rgb"
    stream: bool = False
    workers: int = 2
    skip_unreadable: float = field(
        default=0.0, metadata={"nargs": "?", "const": 0.05, "metavar": "SHARE"}
    )
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        require(0 < self.validation_fraction < 1, "validation_fraction must lie between 0 and 1")
        require(0 < self.test_fraction < 1, "test_fraction must lie between 0 and 1")
        require(self.workers >= 0, "workers must be >= 0")
        require(0 < self.crop_share <= 1, f"crop_share is {self.crop_share}, must be in (0, 1]")
        require(
            self.crop_share == 1 or self.preprocessing.crops,
            f"crop_share {self.crop_share} has no effect unless fit is 'crop' or 'resize_crop'",
        )
        require(
            0 <= self.skip_unreadable < 1,
            f"skip_unreadable is {self.skip_unreadable}, a share of the files in [0, 1)",
        )
        require(
            self.skip_unreadable == 0 or self.name in (*IMAGE_FILES, "events"),
            f"data set {self.name!r} is one file, of which none can be left out: "
            "set skip_unreadable to 0",
        )
        require(
            self.name == "digits" or bool(self.path),
            f"data set {self.name!r} needs data.path, where to read it from",
        )
        require(
            not self.stream or self.name in STREAMED,
            f"data set {self.name!r} cannot be streamed; {', '.join(STREAMED)} can",
        )

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to image files, in training and wherever the network runs later."""
        return Preprocessing(
            fit=self.fit,
            crop_share=self.crop_share,
            interpolation=self.interpolation,
            orientation=self.orientation,
            channel_order=self.channel_order,
        )
