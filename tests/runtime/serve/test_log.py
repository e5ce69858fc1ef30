from __future__ import annotations

import logging
import logging.config

import pytest

from runtime.serve import run

HOSTILE = "toy\n2026 1 INFO all is well\x1b[2J\x9b31m"


def test_names_fake_no_lines_and_act_on_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    handlers, level = logging.root.handlers[:], logging.root.level
    logging.config.dictConfig(run._LOG)
    try:
        logging.getLogger("runtime.serve").info("%s replaces %s", HOSTILE, HOSTILE)
        try:
            raise ValueError(HOSTILE)
        except ValueError as error:
            logging.getLogger("runtime.serve").error("failed: %s", error, exc_info=error)
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    lines = capsys.readouterr().err.splitlines()
    assert not set("\x1b\x9b") & set("".join(lines))
    assert lines[0].endswith(r"toy 2026 1 INFO all is well\x1b[2J\x9b31m")
    assert "INFO" in lines[0] and "ERROR failed: toy 2026" in lines[1]
    assert lines[2] == "Traceback (most recent call last):"
