"""Knowledge distillation: learning another network's answers beside labels (Hinton et al. 2015).

With the student's logits z and the teacher's logits a,

    loss = tau^2 KL(softmax(a / tau) || softmax(z / tau))

where a temperature tau above 1 brings out what the teacher thinks of the classes that it does not
choose, and tau^2 keeps the size of the gradient.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import kl_div


def distillation_loss(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Mean over images of the loss above, [].

    Args:
        logits: the student's [B, N_c].
        taught: the teacher's [B, N_c]; they pass no gradient.
        temperature: tau > 0.
    """
    ours = (logits.float() / temperature).log_softmax(-1)
    theirs = (taught.detach().float() / temperature).log_softmax(-1)
    return temperature**2 * kl_div(ours, theirs, reduction="batchmean", log_target=True)
