"""Settings of all tests of train."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tensors are tiny and tests run side by side: more threads would only wait for each other."""
    torch.set_num_threads(1)
