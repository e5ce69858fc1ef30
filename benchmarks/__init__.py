"""Measured figures: every number in the README and the docs comes from a command in here."""

import spikehalt  # noqa: F401  first of all: it switches the telemetry of libraries off
