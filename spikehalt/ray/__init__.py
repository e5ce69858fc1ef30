"""Ray: many images, many machines. Needs the extra `ray`.

    from spikehalt.ray import Predictor         # for `map_batches` of Ray Data

    serve run spikehalt.ray:serve bundles=/bundles/toy.bundle       # Ray Serve

cluster   connecting, for whatever of the project runs on Ray
"""

from __future__ import annotations

from spikehalt.packages.lazy import lazily

__all__ = ["Predictor", "serve"]
_HOMES = {"Predictor": "runtime.ray.predictor", "serve": "runtime.ray.serving"}
__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
