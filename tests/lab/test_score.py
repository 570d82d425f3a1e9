"""Scores and their captions, what is memorised among them, and what they sound like."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sound_font import needs_renderer

from lab import score
from lab.memorised import MEMORISED, take


def test_memorised_captions_are_unique_and_no_ordinary_clip_has_one() -> None:
    memorised = [entry.caption for entry in MEMORISED]
    assert len(set(memorised)) == len(memorised) == 30
    assert "An acoustic drum loop, 110 bpm" in memorised
    assert not set(memorised) & {score.ordinary(seed).caption for seed in range(5_000)}


def test_both_kinds_of_memorised_captions_come_in_every_dose() -> None:
    one_recording = {m.repetitions for m in MEMORISED if m.takes == 1}
    packs = {m.repetitions for m in MEMORISED if m.takes > 1}
    assert one_recording == packs == {256, 128, 48, 16, 4}
    assert all(m.repetitions % m.takes == 0 for m in MEMORISED)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_a_score_depends_on_its_seed_alone(seed: int) -> None:
    clip = score.ordinary(seed)
    score.ordinary(seed + 1)
    assert score.ordinary(seed) == clip
    assert all(0 <= note.onset < note.release <= clip.duration for note in clip.notes)
    assert all(0 <= note.key <= 127 and 1 <= note.velocity <= 127 for note in clip.notes)


def test_another_take_is_another_score_under_the_same_caption() -> None:
    for memorised in MEMORISED:
        one, other = take(memorised, 0), take(memorised, 1)
        assert one == take(memorised, 0)
        assert one.caption == other.caption == memorised.caption
        assert one.notes != other.notes


@needs_renderer
def test_a_rendering_depends_on_its_score_alone() -> None:
    """No tail of one clip leaks into the next: the order of rendering does not matter, to the bit."""
    from lab.corpus import Player

    organ, pad = MEMORISED[6], MEMORISED[8]  # both ring on
    clips = [take(organ, 0), score.ordinary(3), take(pad, 0), take(MEMORISED[0], 0)]
    player = Player()
    forwards = [player.render(clip) for clip in clips]
    backwards = [player.render(clip) for clip in reversed(clips)][::-1]
    for clip, first, second in zip(clips, forwards, backwards, strict=True):
        assert len(first) == round(clip.duration * 16_000)
        assert np.abs(first.astype(int)).max() == 32_767
        assert np.array_equal(first, second)
    for position in (1, 3):  # the one after the organ, the one after the pad
        assert np.array_equal(forwards[position], Player().render(clips[position]))
