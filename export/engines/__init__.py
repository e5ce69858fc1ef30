"""Bundles to engines: profiles, arguments, targets."""
