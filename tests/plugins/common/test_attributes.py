import pytest

import plugins


@pytest.mark.parametrize(
    ("op", "given", "message"),
    [
        ("Lif", {}, "the ops are LIF, TokenHalt, TokenHaltSum, TokenMerge, TokenMerge"),
        ("LIF", {"tau": 2.0}, "no attribute 'tau'; it has decay"),
        ("Patches", {"tau": 2.0}, "no attribute 'tau'; it has none"),
        ("LIF", {"decay": 0.5}, "LIF attribute 'threshold' must be given"),
        ("LIF", {"decay": "half", "threshold": 1.0}, "must be float"),
        ("LIF", {"decay": float("nan"), "threshold": 1.0}, "must be finite"),
        ("TokenHalt", {"alpha": 1.0, "beta": 0.0, "last": 2}, "one of 0, 1; got 2"),
        ("TokenHalt", {"alpha": 1.0, "beta": 0.0, "last": True}, "must be int"),
        ("TokenMerge", {"gamma": 0}, "at least 1"),
        ("SpikeCount", {"weights": ()}, "must be integers"),
        ("SpikeCount", {"weights": (1, True)}, "must be integers"),
        ("SpikeCount", {"weights": (1, 0)}, "at least 1"),
    ],
)
def test_a_wrong_attribute_is_named(op, given, message):
    with pytest.raises(plugins.OpAttributeError, match=message):
        plugins.node_attributes(op, **given)


def test_integers_are_taken_for_floats_and_lists_for_tuples():
    values = plugins.node_attributes("SpikeCount", weights=[1, 2], unit=1)
    assert values == {"weights": (1, 2), "unit": 1.0, "count_type": 1}
    assert type(values["unit"]) is float
