"""Finding exit thresholds on labelled images.

observed = observe(manifest, trajectory, labels, epsilon)
found = calibrate(manifest, [observed], Goal(max_drop=0.005, confidence=0.95))
update_manifest(path, found.apply(manifest))
"""

from runtime.calibration.evidence import Observed, Point
from runtime.calibration.goal import Goal
from runtime.calibration.search import Calibration, calibrate

__all__ = ["Calibration", "Goal", "Observed", "Point", "calibrate"]
