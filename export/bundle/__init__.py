"""Graphs, weights and manifest to a folder."""
