"""The protocol's forms, and whatever else a network may send."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.serve.errors import RequestError
from runtime.serve.tensors import parse_request, read_input
from tests.runtime.toy import toy_manifest

SPEC = toy_manifest().input
SHAPE = [1, 4, 4, 3]
CASES = int(os.environ.get("SPIKEHALT_FUZZ_CASES", 50))

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
sizes = st.integers(-2, 2**70) | st.sampled_from(SHAPE)
tensors = st.fixed_dictionaries(
    {"name": st.just("image") | st.text(max_size=6)},
    optional={
        "shape": st.just(SHAPE) | st.lists(sizes, max_size=12) | anything,
        "datatype": st.sampled_from(["UINT8", "FP32", "BYTES", "uint8", ""]) | anything,
        "data": st.lists(st.integers(-1, 256), max_size=60) | anything,
        "parameters": st.fixed_dictionaries({"binary_data_size": sizes | anything}) | anything,
    },
)
requests = st.fixed_dictionaries(
    {"inputs": st.lists(tensors, max_size=2) | anything},
    optional={"outputs": anything, "parameters": anything, "id": anything},
)


def read(body: bytes, length: int | None) -> Any:
    request, raw = parse_request(body, length)
    return read_input(request, raw, SPEC)


def read_or_refuse(body: bytes, length: int | None) -> None:
    """Either an array of the shape that was named, or one sentence."""
    try:
        array = read(body, length)
    except RequestError as error:
        assert error.status == 400 and 0 < len(str(error)) < 1000
    else:
        assert array.dtype == np.uint8


@settings(max_examples=CASES, deadline=None)
@given(requests, st.binary(max_size=60), st.integers(-2, 4) | st.none())
def test_any_request_is_read_or_refused(request: Any, raw: bytes, shift: int | None) -> None:
    text = json.dumps(request).encode()
    read_or_refuse(text + raw, None if shift is None else len(text) + shift)


@settings(max_examples=CASES, deadline=None)
@given(st.binary(max_size=200), st.integers(-1, 250) | st.none())
def test_any_bytes_are_read_or_refused(body: bytes, length: int | None) -> None:
    read_or_refuse(body, length)


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"inputs":' * 50_000, b"\xff", b"1e999"])
def test_hostile_json_is_refused(text: bytes) -> None:
    read_or_refuse(text, None)


def test_bytes_become_the_array_that_was_sent() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(SHAPE)
    tensor = {
        "name": "image", "shape": SHAPE, "datatype": "UINT8",
        "parameters": {"binary_data_size": 48},
    }  # fmt: skip
    text = json.dumps({"inputs": [tensor]}).encode()
    np.testing.assert_array_equal(read(text + pixels.tobytes(), len(text)), pixels)
    for body in (text + bytes(47), text + bytes(49)):
        with pytest.raises(RequestError, match="takes 48 bytes"):
            read(body, len(text))


def test_data_may_be_nested_or_flat() -> None:
    pixels = np.arange(48).reshape(SHAPE)
    for data in (pixels.tolist(), pixels.ravel().tolist()):
        tensor = {"name": "image", "shape": SHAPE, "datatype": "UINT8", "data": data}
        np.testing.assert_array_equal(read(json.dumps({"inputs": [tensor]}).encode(), None), pixels)
