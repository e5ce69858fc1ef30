"""Bundles on disk: what is read, written, signed, and what their manifests say."""
