"""Finding exit thresholds on labelled images.

trajectory = engine.record(images)
observed = Observed(manifest=manifest, trajectory=trajectory, labels=labels, epsilon=epsilon)
found = calibrate(manifest, [observed], Goal(max_drop=0.005, confidence=0.95))
update_manifest(path, found.apply(manifest))

goal      what a calibration is for
evidence  what recorded images say about a policy and a threshold
search    choosing thresholds and ε
risk      a bound on the accuracy lost, for new images
betting   another one, by betting
plot      accuracy against what it costs, drawn
"""

from runtime.calibration.evidence import Observed, Point
from runtime.calibration.goal import Goal
from runtime.calibration.search import Calibration, calibrate

__all__ = ["Calibration", "Goal", "Observed", "Point", "calibrate"]
