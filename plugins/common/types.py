"""Array and element types that several modules name."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

FLOAT: Final = 1
UINT8: Final = 2
INT8: Final = 3
FLOAT16: Final = 10
"""`onnx.TensorProto` data types that a spike can have, for code that does not import onnx."""

SPIKE_DTYPES: Final = {FLOAT: np.float32, FLOAT16: np.float16, INT8: np.int8, UINT8: np.uint8}
"""The numpy dtype of the attributes `spike_type` and `count_type`."""
