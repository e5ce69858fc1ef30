"""The public fake: exit logic without a backend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine
from runtime.bundle import Bundle, EnergySpec
from runtime.errors import BackendError, InputError
from runtime.results import estimate
from runtime.testing import ReplaySession, Trajectory
from spikehalt.errors import ConfigError
from tests.runtime.conftest import MakeBundle

Images = NDArray[np.uint8]


@pytest.fixture
def recording(bundle: Bundle, images: Images) -> Trajectory:
    with Engine(bundle) as engine:
        return engine.record(images)


@pytest.mark.parametrize(
    ("policy", "threshold"),
    [("halting", 1.5), ("entropy", 0.8), ("confidence", 0.6), ("never", None)],
)
def test_a_replay_answers_as_the_bundle_does(
    bundle: Bundle, images: Images, recording: Trajectory, policy: str, threshold: float | None
) -> None:
    session = ReplaySession(bundle.manifest, recording)

    with Engine(bundle, policy=policy, threshold=threshold) as engine:
        expected = engine(images)
    with Engine(session.manifest, backend=session, policy=policy, threshold=threshold) as engine:
        replayed = engine(images)

    np.testing.assert_allclose(replayed.logits, expected.logits, rtol=1e-6)
    np.testing.assert_array_equal(replayed.timesteps, expected.timesteps)
    np.testing.assert_array_equal(replayed.live_tokens, expected.live_tokens)
    np.testing.assert_array_equal((recording.exits(policy, threshold) + 1), expected.timesteps)


def test_images_leave_one_by_one(bundle: Bundle, images: Images, recording: Trajectory) -> None:
    session = ReplaySession(bundle.manifest, recording)

    with Engine(bundle.manifest, backend=session, policy="halting", threshold=1.5) as engine:
        timesteps = engine(images).timesteps

    assert session.calls == [int((timesteps > t).sum()) for t in range(max(timesteps))]


def test_energy_of_a_replay_is_the_estimate_where_operations_were_counted(
    make_bundle: MakeBundle, images: Images
) -> None:
    spec = EnergySpec(once_mj=1.0, per_timestep_mj=0.5, per_token_mj=(0.1, 0.01), source="tests")
    bundle = make_bundle(energy=spec, instrumented=True)
    with Engine(bundle) as engine:
        recording = engine.record(images)

    with Engine(bundle.manifest, backend=ReplaySession(bundle.manifest, recording)) as engine:
        result = engine(images)
        stats = engine.stats

    assert result.mac_ops is None and result.ac_ops is None
    assert result.energy_mj is not None
    expected = estimate.energy_mj(spec, result.live_tokens, result.timesteps)
    np.testing.assert_allclose(result.energy_mj, expected)
    assert stats.energy_estimated_mj == pytest.approx(expected.mean()) and expected.min() > 1


def test_a_replay_says_that_it_has_no_live_masks(
    bundle: Bundle, images: Images, recording: Trajectory
) -> None:
    session = ReplaySession(bundle.manifest, recording)

    with Engine(bundle.manifest, backend=session) as engine:
        with pytest.raises(BackendError, match=r"'replay' gives no live masks.*without live_masks"):
            engine(images, live_masks=True)
        assert len(engine(images)) == 12
    with Engine(session.manifest, backend=session) as engine, pytest.raises(ConfigError):
        engine(images, live_masks=True)


@pytest.mark.parametrize("name", ["r.npz", "rec", "rec.old"])
@pytest.mark.parametrize("kind", [Path, str])
def test_a_recording_survives_a_file_of_any_name(
    tmp_path: Path, recording: Trajectory, name: str, kind: type
) -> None:
    recording.save(kind(tmp_path / name))
    loaded = Trajectory.load(kind(tmp_path / name))

    assert (tmp_path / name).exists()
    np.testing.assert_array_equal(loaded.logits, recording.logits)
    np.testing.assert_array_equal(loaded.halt_score, recording.halt_score)
    np.testing.assert_array_equal(loaded.live_tokens, recording.live_tokens)


def test_other_files_are_not_recordings(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no")
    np.savez(tmp_path / "y.npz", logits=np.zeros(3))
    evil = {name: np.array([print], object) for name in ("logits", "halt_score", "live_tokens")}
    np.savez(tmp_path / "z.npz", allow_pickle=True, **evil)

    for name in ("x.npz", "y.npz", "z.npz", "missing.npz"):
        with pytest.raises(InputError, match=r"not a readable \.npz file"):
            Trajectory.load(tmp_path / name)


def test_a_recording_shorter_than_asked_for_says_so(
    bundle: Bundle, images: Images, recording: Trajectory
) -> None:
    short = Trajectory(
        logits=recording.logits[:, :2],
        halt_score=recording.halt_score[:, :2],
        live_tokens=recording.live_tokens[:, :2],
    )
    engine = Engine(bundle.manifest, backend=ReplaySession(bundle.manifest, short))

    with engine, pytest.raises(BackendError, match="no exit point 3"):
        engine(images)
