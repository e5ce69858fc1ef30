"""Checks on images and event frames, before any of it reaches a backend."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import InputSpec
from runtime.errors import InputError
from runtime.inputs.files import resize_image
from spikehalt.reading import reason

_ARRAY_LIKE = ("__array__", "__array_interface__", "__dlpack__", "tobytes")
_CALLS = {
    "torch": "pass images.detach().cpu().numpy(), with .float() before it for bfloat16",
    "cupy": "pass cupy.asnumpy(images)",
    "jax": "pass numpy.asarray(jax.device_get(images))",
    "jaxlib": "pass numpy.asarray(jax.device_get(images))",
    "tensorflow": "pass images.numpy()",
}


def check_inputs(spec: InputSpec, data: Any) -> NDArray[Any]:
    """Make a batch the graphs can take out of what the user passed.

    Args:
        spec: the bundle's input.
        data: for images uint8 [B, H, W, C] or one [H, W, C]; for frames numbers
            [B, T, C, H, W] or one [T, C, H, W].

    Returns:
        C-contiguous uint8 [B, H, W, C] or float32 [B, T, C, H, W].

    Raises:
        InputError: what was wrong, what the bundle takes, and what to do.
    """
    array = _as_array(data)
    return _check_frames(spec, array) if spec.kind == "frames" else _check_images(spec, array)


def check_frame(spec: InputSpec, data: Any) -> NDArray[np.float32]:
    """Make one event frame that the graphs can take.

    Args:
        spec: the bundle's input, of kind "frames".
        data: numbers [C, H, W].

    Returns:
        C-contiguous float32 [C, H, W].

    Raises:
        InputError: what was wrong, what the bundle takes, and what to do.
    """
    array = _as_array(data)
    wanted = (spec.channels, spec.height, spec.width)
    if array.shape != wanted:
        raise InputError(
            f"a frame has shape {list(array.shape)}; this bundle takes {list(wanted)} (channels, "
            "height, width)"
        )
    frame: NDArray[np.float32] = _check_frames(replace(spec, timesteps=1), array[None])[0, 0]
    return frame


def fit_frame(frame: Any, spec: InputSpec) -> Any:
    """Bring one camera frame to the bundle's size, as its preprocessing says; other data pass.

    Args:
        frame: uint8 [h, w, C].
        spec: the bundle's input.

    Raises:
        MissingExtraError: the sizes differ and pillow is not installed.
    """
    wanted = (spec.height, spec.width, spec.channels)
    is_image = isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and frame.ndim == 3
    if spec.kind != "image" or not is_image or frame.shape == wanted:
        return frame
    if frame.shape[-1] != spec.channels or 0 in frame.shape:
        return frame  # `check_inputs` says what is wrong
    return resize_image(frame, spec)


def _as_array(data: Any) -> NDArray[Any]:
    if isinstance(data, np.ma.MaskedArray):
        raise InputError("masked arrays have values that are none: call .filled(value) first")
    if isinstance(data, np.ndarray):
        return data
    if not any(hasattr(data, name) for name in _ARRAY_LIKE):
        raise InputError(
            f"expected a numpy array, got {type(data).__name__}: use numpy.stack on a list of "
            "images, numpy.asarray on an opened one"
        )
    try:
        if hasattr(data, "__array__") or not hasattr(data, "__dlpack__"):
            return np.asarray(data)
        return np.from_dlpack(data)
    except Exception as error:  # other libraries raise what they like
        raise InputError(
            f"{type(data).__module__}.{type(data).__name__} cannot be made a numpy array "
            f"({reason(error)}): {_advice(data)}"
        ) from error


def _advice(data: Any) -> str:
    """What to call on an array of another library."""
    library = type(data).__module__.partition(".")[0]
    return _CALLS.get(library, "pass numpy.asarray of its values on the processor")


def _check_images(spec: InputSpec, array: NDArray[Any]) -> NDArray[np.uint8]:
    shape = (spec.height, spec.width, spec.channels)
    if array.dtype != np.uint8:
        raise InputError(
            f"images have dtype {array.dtype}; this bundle takes raw camera bytes, uint8 0..255, "
            "and normalises them itself"
        )
    batch = array[None] if array.ndim == 3 else array
    if batch.ndim != 4 or batch.shape[1:] != shape:
        raise InputError(_image_shape_message(shape, array.shape))
    _refuse_empty(batch)
    return np.ascontiguousarray(batch)


def _image_shape_message(wanted: tuple[int, int, int], got: tuple[int, ...]) -> str:
    height, width, channels = wanted
    text = f"images have shape {list(got)}; this bundle takes [B, {height}, {width}, {channels}]"
    if len(got) in (3, 4) and got[-3:] == (channels, height, width) and got[-3:] != wanted:
        return f"{text}: move the channels last, images.transpose(..., -2, -1, -3)"
    if channels == 1 and got[-2:] == (height, width) and len(got) in (2, 3):
        return f"{text}: add a channel axis, images[..., None]"
    if len(got) in (3, 4) and got[-1] != channels:
        return f"{text}: convert them to {channels} channel(s)"
    return f"{text} or one [{height}, {width}, {channels}]: resize them"


def _check_frames(spec: InputSpec, array: NDArray[Any]) -> NDArray[np.float32]:
    shape = (spec.timesteps, spec.channels, spec.height, spec.width)
    if array.dtype.kind not in "fiub":
        raise InputError(f"frames have dtype {array.dtype}; this bundle takes float32")
    batch = array[None] if array.ndim == 4 else array
    if batch.ndim != 5 or batch.shape[1:] != shape:
        wanted = ", ".join(map(str, shape))
        raise InputError(
            f"frames have shape {list(array.shape)}; this bundle takes [B, {wanted}] or one "
            f"[{wanted}] (timesteps, channels, height, width)"
        )
    _refuse_empty(batch)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf, refused below
        frames = np.ascontiguousarray(batch, dtype=np.float32)
    _refuse_not_finite(frames)
    return frames


def _refuse_empty(batch: NDArray[Any]) -> None:
    if len(batch) == 0:
        raise InputError("the batch is empty: pass at least one image")


def _refuse_not_finite(frames: NDArray[np.float32]) -> None:
    finite = np.isfinite(frames).reshape(len(frames), -1).all(axis=1)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        raise InputError(
            f"frames of {len(bad)} sample(s) hold NaN or infinity, the first is number {bad[0]}: "
            "check the sensor or replace them with numpy.nan_to_num"
        )
