from __future__ import annotations

import pytest

from spikehalt.datasets.splits import Place, places

TRAIN, VALIDATION, TEST = "train", "validation", "test"


@pytest.mark.parametrize(
    "folder", ["train", "Train", "training", "val", "VALID", "validation", "test", "testing"]
)
def test_splits_have_their_usual_names(folder: str) -> None:
    split = TRAIN if "train" in folder.lower() else TEST if "test" in folder else VALIDATION
    assert places([f"{folder}/cat/0.png"]) == [Place(split, "cat")]  # type: ignore[arg-type]


@pytest.mark.parametrize("wrapper", ["", "inside/", "a/b/", "test/", "val/set/"])
def test_what_lies_around_the_splits_says_nothing(wrapper: str) -> None:
    names = [f"{wrapper}{each}/cat/{n}.png" for each in ("train", "test") for n in range(2)]
    assert [place.split for place in places(names)] == [TRAIN, TRAIN, TEST, TEST]
    assert {place.label for place in places(names)} == {"cat"}


def test_a_class_may_be_called_as_a_split_is() -> None:
    """CIFAR-100 has a class `train`."""
    names = ["train/train/0.png", "train/test/0.png", "test/train/1.png", "test/test/1.png"]
    assert places(names) == [
        (TRAIN, "train"), (TRAIN, "test"), (TEST, "train"), (TEST, "test"),
    ]  # fmt: skip
    assert places(["apple/0.png", "train/0.png"]) == [(None, "apple"), (None, "train")]


def test_folders_inside_a_class_belong_to_it() -> None:
    names = ["train/cat/0.png", "train/cat/day/1.png", "train/dog/night/x/2.png"]
    assert [place.label for place in places(names)] == ["cat", "cat", "dog"]
    assert [place.label for place in places(["cat/0.png", "cat/day/1.png", "dog/2.png"])] == [
        "cat", "cat", "dog",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["cat/0.png", "dog/0.png"], ["cat", "dog"]),
        (["set/cat/0.png", "set/dog/x/0.png"], ["cat", "dog"]),
        (["set/cover.png", "set/cat/0.png", "set/dog/0.png"], [None, "cat", "dog"]),
        (["set/cat/0.png", "set/cat/1.png"], ["cat", "cat"]),
        (["cat/0.png", "cat/more/1.png"], ["cat", "cat"]),
        (["0.png", "cat/0.png"], [None, "cat"]),
        (["0.png"], [None]),
        ([], []),
    ],
)
def test_without_splits_classes_are_below_what_files_have_in_common(
    names: list[str], labels: list[str | None]
) -> None:
    assert [place.label for place in places(names)] == labels
    assert {place.split for place in places(names)} <= {None}


def test_files_outside_of_a_split_or_class_belong_nowhere() -> None:
    names = ["train/cat/0.png", "train/1.png", "backup/train/cat/2.png", "test/3.png", "4.png"]
    assert places(names) == [
        (TRAIN, "cat"), (TRAIN, None), (None, None), (TEST, None), (None, None),
    ]  # fmt: skip


def test_a_split_alone_may_hold_its_files_directly() -> None:
    assert places(["test/0.png", "test/1.png"]) == [(TEST, None), (TEST, None)]


def test_labels_have_one_spelling_whatever_system_packed_them() -> None:
    composed, decomposed = places(["train/caf\u00e9/0.png", "test/cafe\u0301/0.png"])
    assert composed.label == decomposed.label == "caf\u00e9"


def test_case_tells_classes_apart_and_not_splits() -> None:
    """Letters are classes, too: "A" and "a"."""
    assert places(["Train/A/0.png", "train/a/0.png"]) == [(TRAIN, "A"), (TRAIN, "a")]
