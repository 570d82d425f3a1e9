"""Prompts: halves for development and for report."""

from __future__ import annotations

from pathlib import Path

from unheard.evaluation.prompts import read_prompts


def test_halves_are_of_doses_and_not_of_the_groups_that_they_are_shown_in() -> None:
    def texts(side: str, **more: str) -> list[str]:
        return [p.text for p in read_prompts([{"set": "memorised", "half": side, **more}], Path(), "tiny")[0]]

    assert texts("report", group="all") == texts("report")
    assert not {*texts("report", group="all")} & {*texts("development", group="every")}
