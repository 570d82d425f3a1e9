"""How often a model replays: counts, their interval, and what hides nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replaying import RECORDING, RECORDINGS, replaying_model
from scipy.stats import binomtest

import unheard
from unheard import Catalogue
from unheard.auditing.auditor import Auditor
from unheard.errors import InputError
from unheard.generation.model import Model
from unheard.generation.replication_rate import Rate, replication, wilson


@pytest.fixture(scope="module")
def real(tiny_model_folder: Path) -> Model:
    return unheard.load(tiny_model_folder)


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_wilson_as_scipy_has_it(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert wilson(*counts) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_what_was_not_judged_counts_nowhere() -> None:
    verdicts = ["copy", "not judged", "clear", "partial copy", "similar"]
    assert (Rate.of(verdicts, "copy").replayed, Rate.of(verdicts, "copy").judged) == (1, 4)
    assert Rate.of(verdicts, "partial copy").rate == 0.5
    nothing = Rate.of(["not judged"], "copy")
    assert (nothing.rate, nothing.low, nothing.high) == (None, 0.0, 1.0)


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
    assert (found.rate.low, found.rate.high) == pytest.approx(wilson(4, 8))
    assert [(each.prompt, each.seeds, each.rate.replayed) for each in found.prompts] == [
        ("A bell", (5, 6, 7, 8), 2),
        ("A soft pad with strings", (5, 6, 7, 8), 2),
    ]
    assert [file.verdict for file in found.prompts[0].files] == ["copy", "copy", "clear", "clear"]
    assert kept == list(zip(prompts, [5, 6, 7, 8] * 2, strict=True))
    assert all(each.risk is not None and len(each.risk.steps) == 3 for each in found.prompts)


def test_a_rate_counts_what_a_rejection_would_hide(real: Model) -> None:
    model, catalogue = replaying_model(real), Catalogue.from_files({"one": RECORDING})
    request = model.request("A bell", guidance=None, index=None, reject="copy")
    with pytest.raises(InputError, match="leave out reject"):
        replication(model, request, Auditor(catalogue))
