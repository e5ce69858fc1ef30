"""What the objects say about the published architectures."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from spikehalt.errors import ConfigError
from spikehalt.vocabulary import Arch
from train.architectures import ARCHITECTURES, architecture
from train.architectures.attention import SDSA, SSA


def test_every_name_of_the_vocabulary_is_an_architecture_of_that_name() -> None:
    assert tuple(ARCHITECTURES) == get_args(Arch)
    assert all(architecture(name).name == name for name in ARCHITECTURES)


def test_architectures_and_configuration_need_the_standard_library_alone() -> None:
    code = (
        "import sys, train.config, train.architectures\n"
        "assert not {'torch', 'numpy'} & set(sys.modules), 'imports torch or numpy'"
    )
    root = Path(__file__).parents[3]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert result.returncode == 0, result.stderr


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'spikfomer'; did you mean 'spikformer'\?.*sdt"):
        architecture("spikfomer")


@pytest.mark.parametrize(
    ("name", "kept", "neurons"),
    [("spikformer", (), 5), ("spikingformer", (4,), 4), ("sdt", (3, 4), 4)],
)
def test_currents_are_kept_where_blocks_add_currents(
    name: str, kept: tuple[int, ...], neurons: int
) -> None:
    assert architecture(name).kept_currents == kept
    assert architecture(name).stem_neurons == neurons


def test_products_are_bounded_and_charged_in_their_cheaper_order() -> None:
    for tokens, width in product((4, 64), (8, 32)):
        assert SSA.meets(tokens, width) == min(tokens, width)
        assert SSA.largest_sum(tokens, width) == tokens * width


def test_a_gate_sums_over_tokens_alone() -> None:
    assert SDSA.meets(64, 32) == 1
    assert SDSA.largest_sum(64, 32) == 64
