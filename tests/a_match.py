"""What an audit says of a copy, for what shows it."""

from __future__ import annotations

from unheard.auditing import Match, Part

MATCH = Match(
    reference="00001", reference_path=None, caption="A <b>trumpet</b>", verdict="copy", score=6.0,
    score_needed=1.6, score_possible=None, false_alarm_rate=1e-6, expected_false_alarms=2e-6,
    evidence=(Part("altered copies", 20.0, 1e-5), Part("regenerated copies", 2.5, 1e-3)),
    start=0.75, end=2.25, reference_start=0.25,
    reference_end=1.75, share=0.6, shift=0.5, stretch=1.0, transposition=0.0, embedding_similarity=None,
    found_by=("fingerprint",),
)  # fmt: skip
