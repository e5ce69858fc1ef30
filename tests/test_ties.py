"""Decisions on inputs tied on purpose are the same in training, op references, bodies, run time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from plugins.token_halt import token_halt
from plugins.token_merge import token_merge
from plugins.token_merge_similar import token_merge_similar
from runtime.results.scores import Scores
from spikehalt.exits import CONFIDENCE, ENTROPY
from tests.plugins import samples
from tests.plugins.onnx_models import OUTPUTS, one_node_model, run
from train import halting, merging
from train.baselines.dropping import anchor_importance
from train.measure.exits import normalised_entropy


def test_the_root_behind_a_similarity_rounds_correctly() -> None:
    """PyTorch's own float32 root does not, on many processors."""
    squares = np.concatenate([np.arange(1, 200_000), 2.0 ** np.arange(-120, 120)])
    squares = squares.astype(np.float32)
    ones = torch.ones(len(squares))
    found = merging.cosine(ones, torch.from_numpy(squares)).numpy()
    np.testing.assert_array_equal(found, np.float32(1) / np.sqrt(squares))


@pytest.mark.parametrize("tied", [samples.tied_merge_inputs, None])
def test_training_merges_as_the_reference_where_partners_tie(tied) -> None:  # type: ignore[no-untyped-def]
    for seed in range(60):
        K, D = 8 + seed % 40, 2 + seed % 7
        make = tied or (lambda *shape: samples.merge_inputs(*shape, np.float32, "some"))
        feeds = make(seed, 3, K, D)
        x, size, live = (torch.from_numpy(feeds[name]) for name in ("x", "size", "live"))
        wanted = token_merge(**feeds, gamma=K // 2)
        alive = live.float()
        source = merging.choose_sources(x, alive, K // 2)
        got = merging.merge(x[None], size[None], alive[None], source)
        np.testing.assert_array_equal(source.numpy(), wanted[4])
        np.testing.assert_array_equal(got.x[0].numpy(), wanted[0])
        np.testing.assert_array_equal(got.size[0].numpy(), wanted[1])


@pytest.mark.parametrize("seed", range(5))
def test_the_function_body_merges_as_the_reference_where_partners_tie(seed: int) -> None:
    feeds = samples.tied_merge_inputs(seed, 2, 33, 5)
    outputs = token_merge(**feeds, gamma=16)
    wanted = dict(zip(OUTPUTS["TokenMerge"], outputs, strict=True))
    got = run(one_node_model("TokenMerge", feeds, wanted, gamma=16), feeds)
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)


@pytest.mark.parametrize("threshold", samples.TIED_THRESHOLDS)
@pytest.mark.parametrize("make", [samples.threshold_inputs, None])
def test_tokens_as_similar_as_the_threshold_merge_alike_everywhere(
    make: Callable[[int, int, int], dict[str, np.ndarray]] | None, threshold: float
) -> None:
    """In training, the reference and the function body; also where many directions tie."""
    for seed in range(10):
        tied = make or (lambda *shape: samples.tied_merge_inputs(*shape, 4))
        feeds = tied(seed, 3, 33)
        outputs = token_merge_similar(**feeds, threshold=threshold)
        wanted = dict(zip(OUTPUTS["TokenMergeSimilar"], outputs, strict=True))
        x, size, live = (torch.from_numpy(feeds[name]) for name in ("x", "size", "live"))
        source = merging.similar_sources(x, live.float(), threshold)
        got = merging.merge_similar(x[None], size[None], live.float()[None], source)
        np.testing.assert_array_equal(source.numpy(), wanted["source_out"])
        for name, found in (("x", got.x), ("size", got.size), ("live", got.live)):
            np.testing.assert_array_equal(found[0].numpy(), wanted[f"{name}_next"])
        model = one_node_model("TokenMergeSimilar", feeds, wanted, threshold=threshold)
        for name, array in run(model, feeds).items():
            np.testing.assert_array_equal(array, wanted[name], err_msg=name)


def test_a_unit_in_the_last_place_of_the_threshold_decides() -> None:
    below, at, above, _, _ = samples.TIED_THRESHOLDS
    feeds = samples.threshold_inputs(0, 4, 65)
    merged = [
        int(token_merge_similar(**feeds, threshold=each)[-1].sum()) for each in (below, at, above)
    ]
    assert merged[0] == merged[1] > merged[2]


def on_the_bound(epsilon: float) -> np.ndarray:
    """C a unit below, at, and a unit above the bound that a deployed graph computes."""
    bound = np.float32(1) - np.float32(epsilon)
    ends = (np.float32(-np.inf), np.float32(np.inf))
    return np.stack([np.nextafter(bound, ends[0]), bound, np.nextafter(bound, ends[1])])


def test_tokens_whose_score_lies_on_the_bound_halt_alike_for_every_margin() -> None:
    for epsilon in np.linspace(0, 1, 1001)[:-1]:
        cum = on_the_bound(float(epsilon))
        ones, zeros = np.ones(3, np.float32), np.zeros(3, np.float32)
        feeds = {"x": np.full((3, 1), -200, np.float32), "size": ones, "hist": zeros, "cum": cum}
        feeds |= {"live": ones.astype(np.int32), "epsilon": np.array(epsilon, np.float32)}
        wanted = token_halt(**feeds, alpha=1.0, beta=0.0, last=0, reduce=0)[3]
        tensors = (torch.from_numpy(each).view(1, 1, 3) for each in (zeros, cum, ones))
        step = halting.halt(*tensors, epsilon=float(epsilon), mode="block_time", last=False)
        assert step.live.flatten().tolist() == wanted.tolist() == [1, 0, 0]


def test_a_score_of_one_half_reaches_a_margin_of_one_half_everywhere() -> None:
    x, ones = np.zeros((4, 1), np.float32), np.ones(4, np.float32)
    feeds = {"x": x, "size": ones, "hist": 0 * ones, "cum": 0 * ones}
    feeds |= {"live": ones.astype(np.int32), "epsilon": np.array(0.5, np.float32)}
    outputs = token_halt(**feeds, alpha=5.0, beta=0.0, last=0, reduce=0)
    wanted = dict(zip(OUTPUTS["TokenHalt"], outputs, strict=True))
    model = one_node_model("TokenHalt", feeds, wanted, alpha=5.0, beta=0.0, last=0)
    shape = (1, 1, 4)
    one = torch.ones(shape)
    h = halting.halting_score(torch.zeros(*shape, 1), one, one, 5.0, 0.0)
    step = halting.halt(h, 0 * one, one, epsilon=0.5, mode="block_time", last=False)
    assert not wanted["live_next"].any()
    assert not run(model, feeds)["live_next"].any() and not step.live.any()


@pytest.mark.parametrize("classes", [1, 2, 10, 1000])
def test_scores_of_exits_are_the_same_numbers_in_training_and_at_run_time(classes: int) -> None:
    """So an image at its threshold leaves in both, and one a unit away in neither."""
    rng = np.random.default_rng(classes)
    logits = rng.normal(0, 3, (500, classes)).astype(np.float32)
    logits[:20] = np.round(logits[:20])
    logits[0] = 0
    scores = Scores(logits, np.zeros(500, np.float32))
    probability = torch.from_numpy(logits).double().softmax(-1)
    ours = {
        ENTROPY: normalised_entropy(probability).float().numpy(),
        CONFIDENCE: probability.amax(-1).float().numpy(),
    }
    for policy, found in ours.items():
        np.testing.assert_array_equal(found, policy.score(scores))
        assert all(policy.passes(score, float(score)) for score in found)


def test_tokens_that_are_alike_keep_their_order_as_anchors_measure_them() -> None:
    """All along one direction: every cosine with the mean is 1, whatever the length."""
    x = torch.tensor([3.0, 4.0]) * torch.arange(1.0, 9.0).view(1, 1, 8, 1)
    assert (anchor_importance(x, torch.ones(1, 1, 8)) == 1).all()
