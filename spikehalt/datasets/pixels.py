"""Image files to pixels, by Pillow: the one decoder of training and of what runs the result."""

from __future__ import annotations

import io
import math
import threading
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from spikehalt.datasets.errors import DataFileError
from spikehalt.datasets.names import IMAGE_FORMATS
from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.extras import require_extra
from spikehalt.reading import reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_PIXELS = 2**26  # 67 megapixels: what a camera gives, and at most 270 MB decoded
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # by channels

_ORIENTATION, _BITS_PER_SAMPLE, _PHOTOMETRIC = 0x0112, 258, 262  # EXIF and TIFF tags
_WHITE_IS_ZERO = 0
_TURNS = {  # by EXIF orientation, what makes it upright
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
    6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_FULL_SIXTEEN = ("PNG", "PPM")  # formats whose images of mode I hold 0..65535
_UNREADABLE = "is not a readable image"
_WARNINGS = threading.Lock()  # filters of warnings are the whole process's


def decode_image(
    data: bytes,
    name: str,
    size: tuple[int, int],
    channels: int,
    how: Preprocessing,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[np.uint8]:
    """Decode an image file.

    More than 8 bits a channel are scaled by the format's range, not clipped. One channel is grey,
    2 are grey and alpha, 3 colours, 4 colours and alpha; alpha is 255 where a file has none, and
    dropped where it is not asked for. Of several pictures in a file the first counts.

    Args:
        data: the file's bytes.
        name: what to call it in messages.
        size: height and width wanted.
        channels: 1 to 4.
        how: orientation, fit, interpolation and order of channels.
        max_pixels: the largest width × height that is decoded.

    Returns:
        uint8 [H, W, C].

    Raises:
        DataFileError: it is no image in one of `IMAGE_FORMATS`, damaged, too large, or of a kind
            whose range of values no format fixes (float, 32-bit, signed).
        MissingExtraError: pillow is not installed.
    """
    require_extra("PIL", "cli", "reading image files")
    with reading(name, DataFileError, _UNREADABLE):
        image = _opened(data, name, max_pixels)
    return image_to_pixels(image, name, size, channels, how)


def image_to_pixels(
    image: Any, name: str, size: tuple[int, int], channels: int, how: Preprocessing
) -> NDArray[np.uint8]:
    """A Pillow image to pixels; see `decode_image`."""
    import numpy as np

    if channels not in MODES:
        raise DataFileError(f"{name}: image files cannot have {channels} channels, but 1 to 4")
    with reading(name, DataFileError, _UNREADABLE):
        image = _upright(image, how)
        image = fitted(_converted(image, name, MODES[channels]), size, how)
        pixels = np.asarray(image, np.uint8).reshape(*size, channels)
    return _ordered(pixels, how)


def fitted(image: Any, size: tuple[int, int], how: Preprocessing) -> Any:
    """A Pillow image brought to height and width `size`."""
    from PIL import Image

    wide, high = width, height = size[1], size[0]
    if image.size == (width, height) and not (how.crops and how.crop_share != 1):
        return image
    resampling = Image.Resampling[how.interpolation.upper()]
    if how.fit == "resize_crop":
        return _resized_and_cut(image, (width, height), how.crop_share, resampling)
    if how.fit == "resize":
        return image.resize((width, height), resampling)
    scale = max(width / image.width, height / image.height) / how.crop_share
    wide, high = width / scale, height / scale
    left, top = (image.width - wide) / 2, (image.height - high) / 2
    return image.resize((width, height), resampling, box=(left, top, left + wide, top + high))


def _resized_and_cut(image: Any, size: tuple[int, int], share: float, resampling: Any) -> Any:
    """Scaled so that one side is floor(size / share), then cut to width and height `size`."""
    side = 0 if image.width * size[1] <= image.height * size[0] else 1  # that decides the scale
    length = math.floor(size[side] / share)
    other = length * image.size[1 - side] // image.size[side]
    scaled = image.resize((length, other) if side == 0 else (other, length), resampling)
    left, top = (round((have - want) / 2) for have, want in zip(scaled.size, size, strict=True))
    return scaled.crop((left, top, left + size[0], top + size[1]))


def fit_pixels(
    pixels: NDArray[np.uint8], size: tuple[int, int], how: Preprocessing
) -> NDArray[np.uint8]:
    """Bring uint8 [h, w, C] to height and width `size`, as image files are.

    Raises:
        MissingExtraError: pillow is not installed.
    """
    require_extra("PIL", "cli", "resizing images")
    import numpy as np
    from PIL import Image

    if pixels.shape[-1] in (2, 3, 4):  # with alpha, colours count by their opacity
        return np.asarray(fitted(Image.fromarray(np.ascontiguousarray(pixels)), size, how))
    planes = [Image.fromarray(np.ascontiguousarray(each)) for each in np.moveaxis(pixels, -1, 0)]
    return np.stack([np.asarray(fitted(each, size, how)) for each in planes], axis=-1)


def _opened(data: bytes, name: str, max_pixels: int) -> Any:
    """The image, decoded, of a format that is meant: others may start a program."""
    from PIL import Image

    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters of them is refused below
        image = Image.open(io.BytesIO(data), formats=_formats())
    if image.width * image.height > max_pixels:
        raise DataFileError(f"{name} has {image.width} × {image.height} pixels, too many")
    return image


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    """Those of `IMAGE_FORMATS` that this Pillow reads."""
    from PIL import Image

    Image.init()
    return tuple(each for each in IMAGE_FORMATS if each in Image.OPEN)


def _upright(image: Any, how: Preprocessing) -> Any:
    """The image turned as its EXIF orientation says, or not at all.

    Pillow turns TIFF by itself while it decodes, and other formats not.
    """
    from PIL import Image

    orientation = _orientation(image)
    image.load()
    if orientation not in _TURNS:
        return image
    turned = _orientation(image) != orientation
    if turned == (how.orientation == "upright"):
        return image
    back = {6: 8, 8: 6}.get(orientation, orientation)
    result = image.transpose(Image.Transpose[_TURNS[back if turned else orientation]])
    result.format = image.format
    return result


def _orientation(image: Any) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF says nothing, and the pixels may be good
        return 1


def _converted(image: Any, name: str, mode: str) -> Any:
    """The image in `mode`, of 8 bits a channel."""
    if image.mode in _SIXTEEN_BITS or image.mode in ("I", "F"):
        image = _eight_bits(image, name)
    if mode in ("L", "RGB"):
        image.info.pop("transparency", None)  # it would be converted, with a warning
        if image.mode == "LAB":  # which Pillow turns to colours, and not to grey
            image = image.convert("RGB")
    elif image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA")  # palettes with alpha, CMYK
    return image.convert(mode)


def _eight_bits(image: Any, name: str) -> Any:
    """A grey image of more bits, scaled by the range of its format."""
    import numpy as np
    from PIL import Image

    tags = getattr(image, "tag_v2", {})
    highest = 2 ** int(tags.get(_BITS_PER_SAMPLE, (16,))[0]) - 1
    ranged = image.mode in _SIXTEEN_BITS or image.format in _FULL_SIXTEEN
    if not ranged:
        kind = "floating-point" if image.mode == "F" else "32-bit or signed"
        raise DataFileError(
            f"{name} holds {kind} pixels, whose range no format fixes: scale them to 8 or 16 bits "
            "and save them again"
        )
    values = np.asarray(image).astype(np.float64) / highest
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = 1 - values
    return Image.fromarray(np.rint(values * 255).clip(0, 255).astype(np.uint8))


def _ordered(pixels: NDArray[np.uint8], how: Preprocessing) -> NDArray[np.uint8]:
    import numpy as np

    if how.channel_order == "rgb" or pixels.shape[-1] < 3:
        return pixels
    return np.ascontiguousarray(pixels[..., [2, 1, 0, *range(3, pixels.shape[-1])]])
