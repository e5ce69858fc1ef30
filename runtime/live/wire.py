"""Answers as the page gets them: one binary message a picture.

uint32, little-endian   bytes of the JSON that follows
JSON, UTF-8             what is shown, and the shapes of the arrays that follow
uint8 …                 the picture [h, w, 3], then for each side with `live` its patches
                        [t, L, rows, columns]
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.live.side import Answer


def pack(head: dict[str, Any], picture: NDArray[np.uint8], sides: Sequence[Answer]) -> bytes:
    """One message.

    Args:
        head: what is not a side's.
        picture: uint8 [h, w, 3].
        sides: the adaptive answer, and the static one if it was asked for.
    """
    told = [
        {**each.values, "live": None if each.live is None else list(each.live.shape)}
        for each in sides
    ]
    text = json.dumps(
        {**head, "picture": list(picture.shape), "sides": told},
        allow_nan=False,
        separators=(",", ":"),
    ).encode()
    arrays = [picture, *(each.live for each in sides if each.live is not None)]
    return b"".join(
        [
            len(text).to_bytes(4, "little"),
            text,
            *(np.ascontiguousarray(a).tobytes() for a in arrays),
        ]
    )
