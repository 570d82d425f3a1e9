"""Spaces to search."""

from __future__ import annotations

from pathlib import Path

import pytest

from unheard.errors import InputError
from unheard.evaluation.experiment import Experiment


@pytest.mark.parametrize(
    ("space", "problem"),
    [
        ("guidance_scale = {low = 3, hihg = 4}", "did you mean 'high'"),
        ("guidance_scale = {low = 4, high = 3}", "is empty"),
        ("guidance_scale = {low = -4, high = 3}", "at least 0"),
        ("guidance = {kind = 'amg', c1 = []}", "choice is empty"),
        ("guidance = {kind = 'amg', lambda_min = {low = 0.1, high = 0.9}}", "above lambda_max"),
        ("guidance = {kind = 'amg', c3 = {low = 0, high = 9, log = true}}", "low above 0"),
    ],
)
def test_a_wrong_space_is_found_out_before_any_trial(tmp_path: Path, space: str, problem: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(f"[search.a]\n{space}\n[[prompts]]\nlist = ['A bell']\n")
    with pytest.raises(InputError, match=problem):
        Experiment.read(path)
