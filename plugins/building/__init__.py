"""Libraries from the sources."""
