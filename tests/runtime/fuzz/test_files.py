"""Damaged files: only the documented exceptions, no hang, no allocation by declared sizes."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from runtime import Engine
from runtime.backends.onnxruntime.files import external_files
from runtime.backends.onnxruntime.inline import with_names_in_memory, with_weights
from runtime.bundle import Bundle, FileEntry, Manifest, write_bundle
from runtime.errors import BundleError, InputError
from runtime.inputs.files import decode_frames, decode_image
from runtime.inputs.npz import read_array
from runtime.results.trajectory import MAX_RECORDING_BYTES, Trajectory
from spikehalt.datasets.preprocessing import Preprocessing
from tests.runtime.backends.onnxruntime.smuggling import (
    SMUGGLED,
    external_locations,
    nested_model,
)
from tests.runtime.fuzz.conftest import fuzz
from tests.runtime.fuzz.mutations import changed_json, damaged
from tests.runtime.fuzz.seeds import (
    EVENTS,
    FRAMES,
    GRAPH,
    IMAGE,
    MANIFEST,
    PICTURES,
    PLAIN,
    RECORDING,
    npz,
)
from tests.runtime.toy import toy_files, toy_manifest

NESTED = nested_model("w.bin").SerializeToString()
HEADER = b"\x93NUMPY\x01\x00"


@fuzz("manifest")
@given(
    st.one_of(
        changed_json(json.loads(MANIFEST.to_json())).map(lambda x: json.dumps(x)),
        damaged(MANIFEST.to_json().encode()).map(lambda x: x.decode(errors="replace")),
    )
)
def test_manifests(text: str) -> None:
    try:
        manifest = Manifest.from_json(text)
    except BundleError as error:
        assert len(str(error)) < 3000
    else:
        assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fuzz") / "toy.bundle"
    write_bundle(path, dataclasses.replace(MANIFEST, files={}), toy_files(toy_manifest()))
    return path


def test_bundles(toy: Path) -> None:
    """One file of a bundle is damaged, or its manifest disagrees with what lies there."""
    whole = {name: (toy / name).read_bytes() for name in ("manifest.json", *MANIFEST.files)}

    @fuzz("bundle")
    @given(st.data())
    def check(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(whole)))
        content = data.draw(damaged(whole[name]))
        try:
            (toy / name).write_bytes(content)
            bundle = Bundle.open(toy)
            for each in bundle.manifest.files:
                bundle.read(each)
        except BundleError:
            assert content != whole[name]
        finally:
            (toy / name).write_bytes(whole[name])

    check()
    assert Bundle.open(toy).manifest.files.keys() == MANIFEST.files.keys()


@fuzz("graph")
@given(st.sampled_from([GRAPH, NESTED, *SMUGGLED.values()]).flatmap(damaged))
def test_no_parser_finds_another_file_in_a_graph_that_is_accepted(model: bytes) -> None:
    """The package onnx's parser is the other one."""
    try:
        contents = dict.fromkeys(external_files(model, "x.onnx"), bytes(16))
        inside = with_weights(model, contents, "x.onnx")
        outside, memory = with_names_in_memory(model, contents, "x.onnx")
    except BundleError:
        return
    with contextlib.suppress(DecodeError):  # such as a text that is not UTF-8
        assert not list(external_locations(onnx.load_model_from_string(inside)))
        found = onnx.load_model_from_string(outside)
        assert set(external_locations(found)) <= set(memory)


@fuzz("image")
@given(st.sampled_from(PICTURES).flatmap(damaged), st.sampled_from(["resize", "crop"]))
def test_images(data: bytes, fit: Any) -> None:
    spec = dataclasses.replace(IMAGE, preprocessing=Preprocessing(fit=fit))
    try:
        pixels = decode_image(data, "x", spec)
    except InputError:
        return
    assert pixels.shape == (4, 6, 3) and pixels.dtype == np.uint8


@fuzz("frames")
@given(damaged(EVENTS))
def test_event_files(data: bytes) -> None:
    try:
        frames = decode_frames(data, "x", FRAMES)
    except InputError:
        return
    assert frames.shape == (3, 2, 4, 6) and frames.dtype == np.float32


@fuzz("frames")
@given(st.binary(max_size=200).map(lambda tail: HEADER + tail) | damaged(PLAIN))
def test_array_headers(data: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", data)
    try:
        array = read_array(buffer.getvalue(), "x", 4096, "x.npz")
    except InputError:
        return
    assert array.nbytes <= len(data) and not array.dtype.hasobject


def test_recordings(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"

    @fuzz("frames")
    @given(damaged(npz(**RECORDING)))
    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            loaded = Trajectory.load(path)
        except InputError:
            return
        for name in RECORDING:
            array = getattr(loaded, name)
            assert array.nbytes <= MAX_RECORDING_BYTES and not array.dtype.hasobject

    check()
    path.write_bytes(npz(**RECORDING))
    whole = Trajectory.load(path)
    for name, array in RECORDING.items():
        np.testing.assert_array_equal(getattr(whole, name), array)


READERS: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
    "manifest": (lambda data: Manifest.from_json(data.decode()), [MANIFEST.to_json().encode()]),
    "graph": (lambda data: external_files(data, "x.onnx"), [GRAPH]),
    "image": (lambda data: decode_image(data, "x", IMAGE), PICTURES),
    "frames": (lambda data: decode_frames(data, "x", FRAMES), [EVENTS]),
}


@pytest.mark.parametrize("name", READERS)
def test_reading_the_same_damaged_files_again_keeps_nothing(name: str) -> None:
    read, valid = READERS[name]
    files = [data[:cut] for data in valid for cut in range(0, len(data) + 1, len(data) // 20)]

    def read_all() -> None:
        for data in [*files, *(bytes(reversed(data)) for data in valid)]:
            with contextlib.suppress(BundleError, InputError, UnicodeDecodeError):
                read(data)

    def grown() -> int:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            read_all()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    read_all()
    tracemalloc.start()
    try:
        read_all()
        # What is kept grows every time; other threads of the test process allocate now and then.
        assert min(grown() for _ in range(3)) < 16 * 1024
    finally:
        tracemalloc.stop()


def test_declared_sizes_are_not_allocated(tmp_path: Path) -> None:
    """A few bytes that promise gigabytes."""
    header = (
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("frames.npy", header.ljust(128, b" "))
        for name in RECORDING:
            archive.writestr(f"{name}.npy", header.ljust(128, b" "))
    (tmp_path / "r.npz").write_bytes(buffer.getvalue())
    manifest = dataclasses.replace(
        MANIFEST, files={**MANIFEST.files, "x.plan": FileEntry(sha256="0" * 64, bytes=2**33)}
    )
    write_bundle(tmp_path / "b", dataclasses.replace(MANIFEST, files={}), toy_files(toy_manifest()))
    (tmp_path / "b" / "x.plan").write_bytes(b"small")
    (tmp_path / "b" / "manifest.json").write_text(manifest.to_json())

    tracemalloc.start()
    with pytest.raises(InputError):
        decode_frames(buffer.getvalue(), "x", FRAMES)
    with pytest.raises(InputError):
        Trajectory.load(tmp_path / "r.npz")
    with pytest.raises(BundleError, match="truncated"):
        Engine(tmp_path / "b")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 20 * 2**20
