from __future__ import annotations

import gc
import weakref

from runtime.backends.tensorrt.log import MessageLog
from tests.fakes.tensorrt import World, make_module


def test_errors_are_kept_for_one_exception() -> None:
    log = MessageLog(make_module(World(None)))
    for severity, text in ((2, "a warning"), (1, "broken "), (1, "broken"), (0, "worse")):
        log.logger.log(severity, text)
    assert log.reasons() == "broken; worse"
    assert log.reasons() == "it gave no reason"


def test_a_logger_outlives_its_engine() -> None:
    """The library's registry goes on using the first one it saw."""
    log = MessageLog(make_module(World(None)))
    logger = weakref.ref(log.logger)
    del log
    gc.collect()
    assert logger() is not None
