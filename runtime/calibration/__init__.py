"""Finding exit thresholds on labelled images.

trajectory = engine.record(images)
observed = Observed(manifest=manifest, trajectory=trajectory, labels=labels, epsilon=epsilon)
found = calibrate(manifest, [observed], Goal(max_drop=0.005, confidence=0.95))
update_manifest(path, found.apply(manifest))
"""

from runtime.calibration.evidence import Observed, Point
from runtime.calibration.goal import Goal
from runtime.calibration.search import Calibration, calibrate

__all__ = ["Calibration", "Goal", "Observed", "Point", "calibrate"]
