"""How often a model replays: counts, their interval, and what hides nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from replaying import RECORDING, RECORDINGS, replaying_model
from scipy.stats import binomtest

import unheard
from unheard import Catalogue
from unheard.auditing.auditor import Auditor
from unheard.errors import InputError
from unheard.generation.model import Model
from unheard.generation.replication_rate import Rate, RateOfPrompts, replication


@pytest.fixture(scope="module")
def real(tiny_model_folder: Path) -> Model:
    return unheard.load(tiny_model_folder)


def test_what_was_not_judged_counts_nowhere() -> None:
    verdicts = ["copy", "not judged", "clear", "partial copy", "similar"]
    assert (Rate.of(verdicts, "copy").replayed, Rate.of(verdicts, "copy").judged) == (1, 4)
    assert Rate.of(verdicts, "partial copy").rate == 0.5
    nothing = Rate.of(["not judged"], "copy")
    assert (nothing.rate, nothing.low, nothing.high) == (None, 0.0, 1.0)


def test_what_could_not_be_told_is_counted_by_its_verdict() -> None:
    rate = Rate.of(["copy", "not judged", "too short to tell", "not judged", "clear"], "copy")
    assert (rate.replayed, rate.judged) == (1, 2)
    assert rate.not_told == {"not judged": 2, "too short to tell": 1}


def test_prompts_are_counted_not_only_sounds() -> None:
    bound, verdicts = "copy", [["copy"] * 4, ["clear"] * 4, ["clear"] * 3 + ["not judged"], ["not judged"]]
    rate = RateOfPrompts.of_prompts(Rate.of(some, bound) for some in verdicts)
    assert (rate.replayed, rate.judged, rate.not_told) == (4, 11, {"not judged": 2})
    assert (rate.prompts_replayed, rate.prompts_judged) == (1, 3)
    expected = binomtest(1, 3).proportion_ci(0.95, method="exact")
    assert (rate.prompts_low, rate.prompts_high) == pytest.approx((expected.low, expected.high))
    assert rate.effective < 3  # the prompts differ wholly
    assert rate.rate == pytest.approx(4 / 11)


def test_the_rate_of_a_model_that_replays_every_other_time(real: Model) -> None:
    model = replaying_model(real)
    auditor = Auditor(Catalogue.from_files({"one": RECORDING, "other": RECORDINGS / "00000.flac"}))
    prompts = ["A bell"] * 4 + ["A soft pad with strings"] * 4
    request = model.request(
        prompts, duration=3.0, num_inference_steps=3, guidance=None, index=None, batch=2, seed=5
    )
    kept = []

    def keep(sound: unheard.Sound, found: object) -> object:
        kept.append((sound.prompt, sound.seed))
        return found

    found = replication(model, request, auditor, judged=keep)  # type: ignore[arg-type]
    assert (found.rate.replayed, found.rate.judged, found.guided) == (4, 8, False)
    assert (found.rate.prompts_replayed, found.rate.prompts_judged, found.rate.effective) == (2, 2, 8)
    assert [(each.prompt, each.seeds, each.rate.replayed) for each in found.prompts] == [
        ("A bell", (5, 6, 7, 8), 2),
        ("A soft pad with strings", (5, 6, 7, 8), 2),
    ]
    expected = binomtest(2, 4).proportion_ci(0.95, method="exact")
    assert [(each.rate.low, each.rate.high) for each in found.prompts] == [
        pytest.approx((expected.low, expected.high))
    ] * 2
    assert [file.verdict for file in found.prompts[0].files] == ["copy", "copy", "clear", "clear"]
    assert kept == list(zip(prompts, [5, 6, 7, 8] * 2, strict=True))
    assert all(each.risk is not None and len(each.risk.steps) == 3 for each in found.prompts)


def test_a_rate_counts_what_a_rejection_would_hide(real: Model) -> None:
    model, catalogue = replaying_model(real), Catalogue.from_files({"one": RECORDING})
    request = model.request("A bell", guidance=None, index=None, reject="copy")
    with pytest.raises(InputError, match="leave out reject"):
        replication(model, request, Auditor(catalogue))
