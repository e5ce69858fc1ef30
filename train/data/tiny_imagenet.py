"""Tiny-ImageNet as it is distributed: 200 classes of 64 x 64 images, in a zip or unpacked.

    tiny-imagenet-200/train/<wnid>/images/<wnid>_0.JPEG
    tiny-imagenet-200/val/images/val_0.JPEG             labelled in val/val_annotations.txt

The labelled validation images serve as test images, as in the papers: those under test/ have no
labels.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.listing import list_files
from spikehalt.datasets.names import IMAGE_SUFFIXES
from spikehalt.datasets.splits import Split
from spikehalt.datasets.texts import decode_text
from train.config import DataConfig, ModelConfig
from train.data.base import Dataset
from train.data.classes import Known
from train.data.files import find_files, make_listing
from train.data.folder import load_images
from train.errors import DataError

_ANNOTATIONS = "val_annotations.txt"


def load_tiny_imagenet(data: DataConfig, model: ModelConfig, known: Known | None = None) -> Dataset:
    """Every labelled image, in the model's size; resident, or streamed if so configured.

    Raises:
        DataError: the path is missing or not laid out as above.
    """
    labels = _annotations(data.path)

    def place(name: str) -> tuple[Split, str] | None:
        parts = PurePosixPath(name).parts
        if len(parts) >= 4 and parts[-4] == "train" and parts[-2] == "images":
            return "train", parts[-3]
        if len(parts) >= 3 and parts[-3] == "val" and parts[-1] in labels:
            return "test", labels[parts[-1]]
        return None

    files = find_files(data.path, IMAGE_SUFFIXES, place)
    expected = "the layout of tiny-imagenet-200.zip"
    return load_images(make_listing(files, model, known, expected), data, model)


def _annotations(path: str) -> dict[str, str]:
    """Class by file name, from lines `file<TAB>wnid<TAB>box`."""
    with raised_as(DataError):
        texts = list_files(path, frozenset({".txt"}))
        found = [name for name in texts.files if PurePosixPath(name).name == _ANNOTATIONS]
        if not found:
            raise DataError(
                f"{path} holds no {_ANNOTATIONS}; expected tiny-imagenet-200.zip, or unpacked"
            )
        lines = decode_text(texts.read(found[0]), texts.path(found[0])).splitlines()
    pairs = (line.split("\t")[:2] for line in lines if "\t" in line)
    return {name: label for name, label in pairs}
