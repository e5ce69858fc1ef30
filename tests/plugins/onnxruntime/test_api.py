"""The interface to ONNX Runtime: what it looks like, and what an old version is told."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from plugins.building.cpu import SOURCES
from plugins.building.toolchain import find_cxx
from plugins.patches import patches
from tests.plugins import compilers
from tests.plugins.onnx_models import one_node_model

INCLUDE_VARIABLE = "SPIKEHALT_ONNXRUNTIME_INCLUDE"
LAYOUT = Path(__file__).with_name("api_layout.cpp")
API = (SOURCES / "onnxruntime" / "api.h").read_text()


def test_slots_and_layouts_are_those_of_the_header(build_folder):
    include = os.environ.get(INCLUDE_VARIABLE)
    if not include:
        pytest.skip(f"{INCLUDE_VARIABLE} does not name the folder of onnxruntime_c_api.h")
    if find_cxx() is None:
        pytest.skip("no C++ compiler: set CXX or install g++")
    compilers.compile_cxx(["-c", "-isystem", include, LAYOUT], build_folder / "api_layout.o")


def test_every_slot_and_function_is_compared():
    layout = LAYOUT.read_text()
    slots = re.findall(r"using (\w+)\s*=\s*Slot<", API)
    assert slots == re.findall(r"SAME_SLOT\((\w+)\);", layout)
    op = API[API.index("struct CustomOp\n") :]
    functions = re.findall(r"\(\*(\w+)\)\(", op)
    assert ["version", *functions] == re.findall(r"SAME_PLACE\((\w+)\);", layout)


def test_an_old_onnx_runtime_is_told_what_is_needed(native_library):
    """The entry point of a version that has none of the newer slots."""
    told = []
    create = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)(
        lambda code, message: told.append((code, message.decode())) or 4711
    )
    table = (ctypes.c_void_p * 1)(ctypes.cast(create, ctypes.c_void_p))
    oldest = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)(
        lambda version: ctypes.addressof(table) if version < 22 else 0
    )
    text = ctypes.create_string_buffer(b"1.21.1")
    name = ctypes.CFUNCTYPE(ctypes.c_void_p)(lambda: ctypes.addressof(text))
    base = (ctypes.c_void_p * 2)(*(ctypes.cast(f, ctypes.c_void_p) for f in (oldest, name)))
    register = ctypes.CDLL(str(native_library)).RegisterCustomOps
    register.restype = ctypes.c_void_p
    assert register(None, ctypes.byref(base)) == 4711
    sentence = "The kernels of spikehalt need ONNX Runtime 1.22 or newer; this is 1.21.1."
    assert told == [(2, sentence)]


def test_nothing_but_the_entry_point_is_visible(native_library):
    library = ctypes.CDLL(str(native_library))
    assert library.RegisterCustomOps
    with pytest.raises(AttributeError):
        _ = library["_ZN9spikehalt3ort6addRowEPfPKfl"]


def test_options_and_sessions_can_be_many(native_library):
    """All share the ops, so registering again takes no more; each session runs them."""
    x = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    (wanted,) = patches(x)
    model = one_node_model("Patches", {"x": x}, {"neighbours": wanted}).SerializeToString()
    sessions = []
    for _ in range(3):
        options = onnxruntime.SessionOptions()
        options.register_custom_ops_library(str(native_library))
        sessions.append(onnxruntime.InferenceSession(model, options))
    for session in sessions:
        np.testing.assert_array_equal(session.run(None, {"x": x})[0], wanted)
