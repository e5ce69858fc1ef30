"""Tiny-ImageNet as it is distributed: 200 classes of 64 x 64 images, in a zip or unpacked.

    tiny-imagenet-200/train/<wnid>/images/<wnid>_0.JPEG
    tiny-imagenet-200/val/images/val_0.JPEG             labelled in val/val_annotations.txt

The labelled validation images serve as test images, as in the papers: those under test/ have no
labels.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from train.config import DataConfig, ModelConfig
from train.data.base import Dataset
from train.data.files import IMAGE_SUFFIXES, Entry, Reader, file_names, list_files, make_listing
from train.data.folder import load_images
from train.errors import DataError

_ANNOTATIONS = "val_annotations.txt"


def load_tiny_imagenet(data: DataConfig, model: ModelConfig) -> Dataset:
    """Every labelled image, in the model's size; resident, or streamed if so configured.

    Raises:
        DataError: the path is missing or not laid out as above.
    """
    labels = _annotations(data.path)

    def entry(name: str) -> Entry | None:
        parts = PurePosixPath(name).parts
        if len(parts) >= 4 and parts[-4] == "train" and parts[-2] == "images":
            return Entry("train", parts[-3], name)
        if len(parts) >= 3 and parts[-3] == "val" and parts[-1] in labels:
            return Entry("test", labels[parts[-1]], name)
        return None

    entries = list_files(data.path, IMAGE_SUFFIXES, entry)
    expected = "the layout of tiny-imagenet-200.zip"
    return load_images(make_listing(data.path, entries, model, expected), data, model)


def _annotations(path: str) -> dict[str, str]:
    """Class by file name, from lines `file<TAB>wnid<TAB>box`."""
    found = [name for name in file_names(path) if PurePosixPath(name).name == _ANNOTATIONS]
    if not found:
        raise DataError(
            f"{path} holds no {_ANNOTATIONS}; expected tiny-imagenet-200.zip, or unpacked"
        )
    lines = Reader(path).read(found[0]).decode("utf-8", "replace").splitlines()
    pairs = (line.split("\t")[:2] for line in lines if "\t" in line)
    return {name: label for name, label in pairs}
