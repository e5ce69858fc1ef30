"""Batches as Ray Data hands them over, and what Ray Serve is told; no Ray is needed for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Engine
from runtime.bundle import Bundle
from runtime.errors import BundleIntegrityError, InputError
from runtime.ray.serving import ReplicaOptions, serve
from runtime.ray.shipping import pack
from spikehalt.errors import ConfigError
from spikehalt.ray import Predictor
from tests.runtime.serve.conftest import encoded, write_toy

PIXELS = np.random.default_rng(1).integers(0, 256, (3, 4, 4, 3), np.uint8)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_toy(tmp_path / "toy.bundle")


def objects(*values: Any) -> Any:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_bytes_and_pixels_are_answered(bundle: Bundle) -> None:
    with Engine(bundle) as engine:
        expected = engine(PIXELS)
    predict = Predictor(bundle.root)
    files = objects(*(encoded(each, "PNG") for each in PIXELS))
    for name, images in (("bytes", files), ("image", PIXELS), ("png", objects(*PIXELS))):
        answers = predict({name: images, "path": np.array(["a", "b", "c"])})
        assert name not in answers and answers["path"].tolist() == ["a", "b", "c"]
        assert answers["label"].tolist() == expected.labels.tolist()
        assert answers["timesteps"].tolist() == expected.timesteps.tolist()
        assert answers["error"].tolist() == [""] * 3


def test_what_is_no_image_says_so_in_its_row(bundle: Bundle) -> None:
    values = objects(b"nothing", encoded(PIXELS[0], "PNG"), None, np.zeros((4, 4), np.uint8))
    answers = Predictor(bundle.root, column="x")({"x": values})
    assert [bool(each) for each in answers["error"]] == [True, False, True, True]
    assert answers["label"][[0, 2, 3]].tolist() == [-1] * 3
    assert np.isnan(answers["probability"][[0, 2, 3]]).all()
    with pytest.raises(InputError, match="column of images"):
        Predictor(bundle.root)({"text": values})


def test_a_bundle_is_shipped_whole_or_not_at_all(bundle: Bundle) -> None:
    shipped = pack(bundle)
    root = shipped.unpack()
    assert Bundle.open(root).fingerprint == bundle.fingerprint
    del shipped
    assert not root.exists()
    write_toy(bundle.root, timesteps=2)
    with pytest.raises(BundleIntegrityError, match="replaced"):
        pack(bundle)


def test_arguments_of_ray_serve_are_read_strictly() -> None:
    options = ReplicaOptions(bundles="a/x.bundle,y.bundle", threshold=0.9, threads=2)
    served = options.served()
    assert list(served.bundles) == ["x", "y"]
    assert served.engine == {"threshold": 0.9, "threads": 2}
    for wrong, sentence in (({"bundle": "x"}, "bundles"), ({"max_batch": "many"}, "no number")):
        with pytest.raises(ConfigError, match=sentence):
            serve({"bundles": "x", **wrong})
