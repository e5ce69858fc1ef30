import pytest

from runtime.drawing.numbers import readable


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.89159, 4, "0.8916"),
        (1.0, 4, "1.000"),
        (12.345, 3, "12.3"),
        (9.996, 3, "10.0"),
        (0.99996, 4, "1.000"),
        (4567.8, 3, "4,568"),
        (1234567, 3, "1,234,567"),
        (0.00001234, 3, "0.0000123"),
        (-0.4631, 3, "-0.463"),
        (0.0, 3, "0"),
        (30, 3, "30"),
    ],
)
def test_numbers_have_the_digits_that_mean_something(value: float, digits: int, text: str) -> None:
    assert readable(value, digits) == text
