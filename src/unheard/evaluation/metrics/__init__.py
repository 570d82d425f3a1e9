"""What is measured, one metric a file, all built alike: conventions, reference, validation, metric.

Embeddings are `[sounds, dimension]`, numpy arrays of any float type; everything is computed in float64. What
cannot be measured is None or NaN, never 0.
"""

from __future__ import annotations

OF_CAPTIONS = ("instrument_kept", "family_kept", "tempo_kept", "tempo_octave", "key_kept")
"""Metrics of the sounds whose captions say something of it, by a listener; see `kept`."""
OF_PROMPTS = (
    "copied_or_collapsed", "replicated", "replicated_target",
    "guide_replication_similarity", "judge_replication_similarity", "judge_target_similarity", "liveliness",
    "residue", "nearer_than_others", "clap_score",
    *OF_CAPTIONS, "diversity", "seconds", "judging_seconds", "peak_memory",
)  # fmt: skip
"""Metrics that every prompt has a value of."""
OF_SETS = ("kernel_audio_distance", "frechet_audio_distance")
"""Metrics of all sounds together, to held-out ones."""
METRICS = (*OF_PROMPTS, *OF_SETS)
