"""What repeats in a training set, and may be memorised."""

from __future__ import annotations

SOUND_THRESHOLD = 0.98
"""Cosine from which two sounds count as near-identical."""
CAPTION_THRESHOLD = 0.9
"""Likeness (`near_captions.likeness`) from which two captions do."""
