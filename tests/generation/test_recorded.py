"""What happened to a sound, as its provenance says it: damaged values are one line."""

from __future__ import annotations

from typing import Any

import pytest

from unheard.errors import InputError
from unheard.generation.recorded import nearest_of, trace_of
from unheard.generation.sound import Nearest, TraceStep

STEP = {"sigma": 80, "value": 0.5, "measure": "cosine", "prompt_weight": 1, "fallback": None}


def test_whole_numbers_stand_for_floats_and_further_keys_for_nothing() -> None:
    assert trace_of({"trace": [{**STEP, "another": {}}]}) == [
        TraceStep(sigma=80.0, value=0.5, measure="cosine", prompt_weight=1.0)
    ]
    assert trace_of({}) == []
    item = {"id": "a", "caption": "a bell", "similarity": 1}
    assert nearest_of({"result": {"nearest": [item]}}) == [Nearest("a", "a bell", 1.0)]


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        ("x", "it is of type str"),
        ({**STEP, "sigma": "80"}, "sigma is of type str"),
        ({**STEP, "prompt_weight": [1]}, "prompt_weight is of type list"),
        ({**STEP, "prompt_weight": 10**400}, "prompt_weight is beyond any number"),
        ({"value": 0.5}, "missing"),
    ],
)
def test_a_damaged_step_is_one_line(damaged: Any, said: str) -> None:
    with pytest.raises(InputError, match=rf"damaged, a step of the trace: .*{said}.*; give the \.json"):
        trace_of({"trace": [damaged]})
