"""Other wordings of a prompt that leads to a recording: they are tried before any caption."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from memorising_toy import MEMORISED, ORDINARY

import unheard
from unheard import Detour, InputError, Model
from unheard.generation import provenance
from unheard.guidance import read_guidance

pytestmark = pytest.mark.filterwarnings("ignore::unheard.GuidanceWarning")
PROMPT, ANOTHER = MEMORISED[-1], "a soft tune on bells"


def made(toy: Model, recordings: Path | None, wordings: str, prompt: str = PROMPT) -> unheard.Sound:
    settled = {} if recordings else {"settled_pull": 1.2, "pull": 1.3}
    guidance = Detour(wordings=wordings, **settled)
    (sound,) = toy.generate(prompt, seed=1, guidance=guidance, references=recordings)
    return sound


@pytest.mark.parametrize("at_hand", [True, False])
def test_the_first_that_leads_to_no_recording_takes_the_place_of_the_prompt(
    at_hand: bool, toy: Model, recordings: Path, tmp_path: Path
) -> None:
    known = recordings if at_hand else None
    wordings = f" {MEMORISED[0]} |{PROMPT}|\n{ANOTHER}| something else"
    sound = made(toy, known, wordings)
    assert sound.fallback is not None
    assert (sound.fallback.id, sound.fallback.caption) == (None, ANOTHER)
    assert sound.outcome.startswith(f'the prompt leads to a recording: went on as "{ANOTHER}"')
    assert {(step.fallback, step.caption) for step in sound.trace} == {(None, ANOTHER)}
    (plain,) = toy.generate(ANOTHER, seed=1, guidance=None)
    torch.testing.assert_close(sound.waveform, plain.waveform, atol=1e-5, rtol=1e-4)
    sound.save(tmp_path / "sound.wav")
    record = provenance.read(tmp_path / "sound.json")
    guidance = read_guidance(record["guidance"])
    assert isinstance(guidance, Detour)
    assert guidance.other_wordings == [MEMORISED[0], PROMPT, ANOTHER, "something else"]
    assert record["trace"][0]["caption"] == ANOTHER


def test_a_prompt_that_is_kept_and_a_caption_where_no_wording_will_do(toy: Model, recordings: Path) -> None:
    kept = made(toy, None, ANOTHER, ORDINARY[3])
    assert kept.outcome == "kept the prompt"
    without = made(toy, recordings, "")
    no_use = made(toy, recordings, MEMORISED[0])
    assert no_use.fallback == without.fallback
    assert torch.equal(no_use.waveform, without.waveform)


@pytest.mark.parametrize(("wordings", "said"), [(3, "wordings is 3"), ("a\udcff", "wordings is not text")])
def test_what_is_no_text_is_refused(wordings: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Detour(wordings=wordings)  # type: ignore[arg-type]
