from __future__ import annotations

from train.architectures import ARCHITECTURES
from train.models.attention import ATTENTIONS


def test_every_attention_of_an_architecture_has_a_module() -> None:
    assert {each.attention for each in ARCHITECTURES.values()} == set(ATTENTIONS)
