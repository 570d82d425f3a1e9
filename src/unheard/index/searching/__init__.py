"""Searching a training set: in memory, on disk exactly, on disk approximately."""
