"""Test applications of this package with no backend and no graphs.

recording = engine.record(images)                    # once, where the bundle runs
recording.save(Path("recording.npz"))

session = ReplaySession(manifest, Trajectory.load(Path("recording.npz")))
with Engine(manifest, backend=session, policy="entropy", threshold=0.3) as engine:
    result = engine(images)                          # the real exit logic, recorded outputs
"""

from runtime.backends.replay import ReplaySession
from runtime.results.trajectory import Trajectory

__all__ = ["ReplaySession", "Trajectory"]
