"""What is measured, one metric a file, all built alike: conventions, reference, validation, metric.

Embeddings are `[sounds, dimension]`, numpy arrays of any float type; everything is computed in float64. What
cannot be measured is None or NaN, never 0.
"""
