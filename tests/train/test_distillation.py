from __future__ import annotations

import pytest
import torch
from torch import Tensor

from train.distillation import distillation_loss

STUDENT = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
TEACHER = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_it_is_the_divergence_of_the_softened_answers(temperature: float) -> None:
    p, q = ((z / temperature).softmax(-1) for z in (TEACHER, STUDENT))
    expected = temperature**2 * (p * (p / q).log()).sum(-1).mean()
    torch.testing.assert_close(distillation_loss(STUDENT, TEACHER, temperature), expected)


def test_equal_answers_cost_nothing() -> None:
    shifted = TEACHER + 3.0  # softmax does not see it
    assert distillation_loss(shifted, TEACHER, 2.0).item() == pytest.approx(0.0, abs=1e-6)


def gradients(temperature: float) -> tuple[Tensor | None, Tensor | None]:
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    distillation_loss(student, teacher, temperature).backward()
    return student.grad, teacher.grad


def test_the_student_alone_learns() -> None:
    student, teacher = gradients(1.0)
    assert student is not None and student.abs().max() > 0 and teacher is None


def test_the_temperature_keeps_the_size_of_the_gradient() -> None:
    """For large tau the gradient tends to (z - a), centred, over B N_c: tau is not in it."""
    (at_fifty, _), (at_hundred, _) = gradients(50.0), gradients(100.0)
    assert at_fifty is not None and at_hundred is not None
    torch.testing.assert_close(at_fifty, at_hundred, rtol=0.05, atol=1e-3)
