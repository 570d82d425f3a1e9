"""A summary says what its rows say, of rows written by hand."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from unheard.auditing import VERDICTS
from unheard.evaluation import columns, plots, summary, summary_files
from unheard.evaluation.metrics.frechet import frechet_audio_distance
from unheard.evaluation.metrics.kernel import kernel_audio_distance
from unheard.evaluation.outcomes import counts, open_verdicts, with_rates

BASELINES = {"plain": "plain", "guided": "plain"}
Key = tuple[str, str, str]


def sound(setting: str, prompt: str, seed: int, **said: Any) -> dict[str, Any]:
    """A row; "loud" prompts are of one group, the others of another."""
    group = "loud" if prompt.startswith("loud") else "quiet"
    judged = {"replicated": False, "verdict": "clear", "clap_score": 0.5}
    return {"setting": setting, "prompt": prompt, "seed": seed, "group": group, **judged, **said}


def failed(setting: str, prompt: str, seed: int) -> dict[str, Any]:
    nothing = {"replicated": None, "verdict": None, "clap_score": None}
    return sound(setting, prompt, seed, error="not finite", **nothing)


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=columns.ROWS)


def summarised(rows: pa.Table, **options: Any) -> dict[Key, dict[str, Any]]:
    entries = summary.summarise(rows, BASELINES, **options)
    return {(entry["setting"], entry["group"], entry["metric"]): entry for entry in entries}


def test_means_and_differences_of_known_numbers() -> None:
    found = summarised(
        table(
            sound("plain", "loud", 1, clap_score=0.1),
            sound("plain", "loud", 2, clap_score=0.3),
            sound("plain", "soft", 1, clap_score=0.5),
            sound("plain", "soft", 2, clap_score=0.7),
            sound("guided", "loud", 1, clap_score=0.2),
            sound("guided", "loud", 2, clap_score=0.4),
            sound("guided", "soft", 1, clap_score=0.9),
            sound("guided", "soft", 2, clap_score=0.9),
        )
    )
    scores = {key[:2]: entry for key, entry in found.items() if key[2] == "clap_score"}
    assert {key: pytest.approx(entry["value"]) for key, entry in scores.items()} == {
        ("plain", "all"): 0.4, ("plain", "loud"): 0.2, ("plain", "quiet"): 0.6,
        ("guided", "all"): 0.6, ("guided", "loud"): 0.3, ("guided", "quiet"): 0.9,
    }  # fmt: skip
    whole = scores["guided", "all"]
    assert whole["prompts"] == 2
    assert whole["difference"] == pytest.approx(
        0.2
    )  # the mean of .1 and .3, which are all that a draw can give
    assert (whole["difference_low"], whole["difference_high"]) == pytest.approx((0.1, 0.3))
    assert (whole["low"], whole["high"]) == pytest.approx((0.3, 0.9))
    assert scores["guided", "loud"]["low"] is None  # one prompt has no interval
    assert scores["plain", "all"]["difference"] == 0


def test_sounds_that_one_side_lacks_are_counted_and_paired_with_nothing() -> None:
    found = summarised(
        table(
            sound("plain", "loud", 1, clap_score=0.9),
            sound("plain", "loud", 2, clap_score=0.1, replicated=True),
            sound("plain", "soft", 1, clap_score=0.4, replicated=True),
            sound("plain", "soft", 2, clap_score=0.4, replicated=None, verdict="not judged"),
            failed("guided", "loud", 1),
            sound("guided", "loud", 2, clap_score=0.2),
            sound("guided", "soft", 1, clap_score=0.5, replicated=True),
            sound("guided", "soft", 2, clap_score=0.5),
            failed("plain", "loud bang", 1),
            failed("guided", "loud bang", 1),
        )
    )
    names = ("made", "failed", "not_judged", "collapsed")
    counted = {key[:2]: tuple(entry[name] for name in names) for key, entry in found.items()}
    assert counted["plain", "all"] == (4, 1, 1, 0)
    assert counted["guided", "all"] == (3, 2, 0, 0)
    assert counted["guided", "loud"] == (1, 2, 0, 0)
    assert counted["plain", "quiet"] == (2, 0, 1, 0)
    score = found["guided", "loud", "clap_score"]
    assert score["value"] == pytest.approx(0.2)  # over all that it has
    assert score["difference"] == pytest.approx(0.1)  # of seed 2 alone; .2 - .5 would be of other sounds
    rate = found["guided", "all", "replicated"]
    assert rate["value"] == pytest.approx(1 / 3)  # of its sounds, whatever prompts they are of
    assert rate["difference"] == pytest.approx(((0 - 1) + (1 - 1)) / 2)
    assert found["guided", "all", "replicated_target"]["value"] is None
    assert found["guided", "all", "diversity"]["difference"] is None


def exact(hits: int, trials: int) -> tuple[float, float]:
    expected = binomtest(hits, trials).proportion_ci(0.95, method="exact")
    return expected.low, expected.high


def test_replication_is_counted_by_prompts_and_by_sounds() -> None:
    prompts = [f"soft {number}" for number in range(9)]
    rows = [
        sound("plain", prompt, seed, replicated=prompt in prompts[:7])
        for prompt in prompts
        for seed in range(4)
    ]
    rows += [sound("guided", prompt, seed) for prompt in prompts for seed in range(4)]
    found = summarised(table(*rows))
    plain, guided = (found[name, "all", "replicated"] for name in ("plain", "guided"))
    assert (plain["count"], plain["sounds"], plain["prompts_hit"], plain["prompts"]) == (28, 36, 7, 9)
    assert (plain["prompts_low"], plain["prompts_high"]) == pytest.approx(exact(7, 9))
    assert plain["value"] == pytest.approx(28 / 36)
    assert plain["effective_sounds"] < 9  # sounds of one prompt are all alike
    assert plain["low"] < exact(28, 36)[0]
    assert plain["high"] > exact(28, 36)[1]
    assert (guided["count"], guided["sounds"], guided["effective_sounds"]) == (0, 36, 9)
    assert (guided["low"], guided["high"]) == pytest.approx(exact(0, 9))
    assert guided["difference_high"] < 0


COLLAPSED = {"replicated": None, "verdict": "not judged", "collapsed": True, "reason": "it is silent"}


def test_a_collapsed_sound_is_a_failure_and_no_success() -> None:
    rows = table(
        sound("plain", "loud", 1, replicated=True),
        *(sound("plain", "loud", seed) for seed in (2, 3, 4)),
        sound("guided", "loud", 1, **COLLAPSED),
        sound("guided", "loud", 2, collapsed=True),  # too little of it is left, and no copy
        sound("guided", "loud", 3, replicated=True, replicated_target=True, collapsed=True),
        sound("guided", "loud", 4),
    )
    found = summarised(rows)
    bad, copies = (found["guided", "all", name] for name in ("copied_or_collapsed", "replicated"))
    assert (bad["count"], bad["sounds"], bad["collapsed"], bad["not_judged"]) == (3, 4, 2, 0)
    assert (copies["count"], copies["sounds"]) == (1, 2)
    assert copies["sounds"] == copies["made"] - copies["collapsed"] - copies["not_judged"]
    assert found["plain", "all", "copied_or_collapsed"]["value"] == 0.25
    assert bad["difference"] == pytest.approx(0.5)  # paired: sounds that collapsed have the other side's


def test_a_verdict_that_tells_nothing_has_its_own_count(tmp_path: Path) -> None:
    short = {"verdict": "too short to tell", "replicated": None, "reason": "it would need a score of 4.1"}
    rows = table(*(sound("plain", "loud", seed, **short) for seed in range(2)), sound("plain", "loud", 2))
    entries = summary.summarise(rows, {"plain": "plain"})
    rate = next(entry for entry in entries if entry["metric"] == "copied_or_collapsed")
    assert (rate["count"], rate["sounds"], rate["made"]) == (0, 1, 3)
    assert (rate["too_short_to_tell"], rate["not_judged"]) == (2, 0)
    page = summary_files.write(entries, rows, {"plain": "plain"}, {}, {}, tmp_path)
    assert "- 2 x plain, too short to tell: it would need a score of 4.1" in page


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*VERDICTS, "unheard of", None]),
            st.sampled_from([True, False, None]),
            st.booleans(),
        )
    )
)
def test_every_sound_is_in_one_count(said: list[tuple[str | None, bool | None, bool]]) -> None:
    rows = []
    for verdict, collapsed, fails in said:
        told = verdict in ("copy", "partial copy", "similar", "clear")
        replicated = verdict == "copy" if told and not fails else None
        rows.append(
            {"error": "no" if fails else None, "verdict": None if fails else verdict, "setting": "plain",
             "replicated": replicated, "replicated_target": None, "collapsed": collapsed, "prompt": "loud"}
        )  # fmt: skip
    counted = counts(rows, [*open_verdicts(rows), "not judged"])
    derived = [with_rates(row) for row in rows]
    judged = sum(row["replicated"] is not None for row in derived)
    assert len(rows) == judged + sum(counted.values()) - counted["made"]
    assert counted["made"] + counted["failed"] == len(rows)
    of_headline = sum(row["copied_or_collapsed"] is not None for row in derived)
    assert of_headline == judged + counted["collapsed"]
    assert [with_rates(row) for row in derived] == derived


def test_a_table_of_before_is_still_summarised() -> None:
    rows = table(
        sound("plain", "loud", 1, replicated=True),
        sound("plain", "loud", 2, replicated=None, verdict="not judged"),
    )
    found = summarised(rows.drop_columns(["collapsed", "reason"]))
    rate = found["plain", "all", "copied_or_collapsed"]
    assert (rate["count"], rate["sounds"], rate["not_judged"], rate["collapsed"]) == (1, 1, 1, 0)


def test_what_is_of_several_sounds_is_compared_on_the_same_ones() -> None:
    random = np.random.default_rng(0)
    vectors = {(name, seed): random.normal(size=3) for name in BASELINES for seed in range(4)}
    for vector in vectors.values():
        vector /= np.linalg.norm(vector)
    rows = [sound(name, "loud", seed, embedding=vector) for (name, seed), vector in vectors.items()]
    rows = [failed("guided", "loud", 0) if (r["setting"], r["seed"]) == ("guided", 0) else r for r in rows]
    held_out = random.normal(size=(6, 3))
    found = summarised(table(*rows), held_out=held_out)
    stored = {key: vector.astype(np.float32).astype(float) for key, vector in vectors.items()}
    plain = np.array([stored["plain", seed] for seed in range(4)])
    guided = np.array([stored["guided", seed] for seed in range(1, 4)])

    def diversity(sounds: np.ndarray) -> float:
        pairs = [(i, j) for i in range(len(sounds)) for j in range(i)]
        return float(np.mean([1 - sounds[i] @ sounds[j] for i, j in pairs]))

    def kernel(sounds: np.ndarray) -> float:
        return kernel_audio_distance(sounds, held_out)

    def frechet(sounds: np.ndarray) -> float:
        return frechet_audio_distance(sounds, held_out)

    names = {"diversity": diversity, "kernel_audio_distance": kernel, "frechet_audio_distance": frechet}
    for name, measure in names.items():
        entry = found["guided", "all", name]
        assert entry["value"] == pytest.approx(measure(guided), rel=1e-6)
        assert entry["difference"] == pytest.approx(measure(guided) - measure(plain[1:]), rel=1e-6)
        assert found["plain", "all", name]["value"] == pytest.approx(measure(plain), rel=1e-6)
        assert found["plain", "all", name]["difference"] == 0


def test_the_page_and_the_table_say_how_many_sounds_there_are(tmp_path: Path) -> None:
    rows = table(
        *(sound("plain", "loud", seed, replicated=None, verdict="not judged") for seed in range(2)),
        *(sound("guided", "loud", seed) for seed in range(2)),
        sound("plain", "loud", 2),
        failed("guided", "loud", 2),
    )
    entries = summary.summarise(rows, BASELINES, metrics=("replicated", "clap_score"))
    page = summary_files.write(entries, rows, BASELINES, {}, {}, tmp_path)
    counted = "made | failed | collapsed | too short to tell | not judged"
    assert f"| setting | {counted} | replicated | clap_score |" in page
    assert "| plain | 3 | 0 | 0 | 0 | 2 | " in page
    assert "| guided | 2 | 1 | 0 | 0 | 0 | " in page
    assert "- 'loud', guided: not finite" in page
    stored = list(csv.DictReader((tmp_path / "summary.csv").open()))
    assert {(row["setting"], row["made"], row["failed"], row["not_judged"]) for row in stored} == {
        ("plain", "3", "0", "2"), ("guided", "2", "1", "0"),
    }  # fmt: skip


def test_no_copy_is_no_certainty_on_the_page(tmp_path: Path) -> None:
    rows = table(
        *(sound(name, prompt, seed, replicated=name == "plain" and prompt == "loud" and seed < 2)
          for name in BASELINES for prompt in ("loud", "soft") for seed in range(5)),
        *(sound("plain", "soft", seed, replicated=None, verdict="not judged") for seed in range(5, 9)),
    )  # fmt: skip
    entries = summary.summarise(rows, BASELINES, metrics=("replicated", "replicated_target"))
    page = summary_files.write(entries, rows, BASELINES, {}, {}, tmp_path)
    row = next(line for line in page.splitlines() if line.startswith("| plain"))
    copied = "1 of 2 prompts (1% to 99%); 2 of 10 sounds: 0.200 ("
    assert row.startswith(f"| plain | 14 | 0 | 0 | 0 | 4 | {copied}")
    low, high = exact(0, 2)
    nothing = f"0 of 2 prompts (0% to 84%); 0 of 10 sounds: 0.000 ({low:.3f} to {high:.3f}), as 2 independent"
    assert f"| guided | 10 | 0 | 0 | 0 | 0 | {nothing} | not measured |" in page
    assert "prompts with at least one such sound (exact 95 % interval)" in page
    summary_of = summary.summarise(rows, BASELINES, metrics=("clap_score",))
    assert "exact" not in summary_files.write(summary_of, rows, BASELINES, {}, {}, tmp_path)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[Any]]]:
    """The figures that were drawn, kept open until the end."""
    pyplot = plots.pyplot()
    close = pyplot.close
    close("all")
    monkeypatch.setattr(pyplot, "close", lambda which: None)
    yield lambda: [pyplot.figure(number) for number in pyplot.get_fignums()]
    close("all")


def test_the_trade_off_shows_the_interval_of_prompts(tmp_path: Path, drawn: Callable[[], list[Any]]) -> None:
    rows = table(*(sound("guided", "loud", seed) for seed in range(10)))
    plots.draw(rows, summary.summarise(rows, {"guided": "guided"}), tmp_path)
    trade_off, _ = drawn()  # and the distributions: no guidance measures anything
    (across,) = trade_off.axes[0].collections  # one prompt has no interval of the CLAP score
    low, high = across.get_segments()[0][:, 0]
    assert (low, high) == pytest.approx(exact(0, 1))
    assert not (tmp_path / "trajectory.png").exists()


def test_every_measure_of_the_traces_has_a_panel(tmp_path: Path, drawn: Callable[[], list[Any]]) -> None:
    traces = {"near": [0.7, 0.9], "nearer": [0.8, 1.0], "pull": [30.0, 10.0], "plain": [None, None]}
    measures = {"near": "cosine", "nearer": "cosine", "pull": "magnitude", "plain": None}
    rows = table(
        *(sound(name, "loud", 1, trace_similarity=trace, trace_measure=[measures[name]] * 2)
          for name, trace in traces.items())
    )  # fmt: skip
    plots.draw(rows, summary.summarise(rows, dict.fromkeys(traces, "near")), tmp_path)
    points = drawn()[0].axes[0].get_lines()
    assert [point.get_markersize() for point in points] == [18, 14, 10, 6]  # at one place, and none is hidden
    panels = drawn()[2].axes
    assert [panel.get_ylabel() for panel in panels] == ["cosine", "magnitude"]
    shown = [{line.get_label(): [*line.get_ydata()] for line in panel.get_lines()} for panel in panels]
    assert shown == [{name: traces[name] for name in ("near", "nearer")}, {"pull": traces["pull"]}]
    assert (tmp_path / "trajectory.png").is_file()


def test_a_step_is_drawn_under_what_it_measures(tmp_path: Path, drawn: Callable[[], list[Any]]) -> None:
    traces = {1: ([0.2, 0.4, 0.6], ["excess"] * 3), 2: ([0.4, 9.0, 0.8], ["excess", "pull", "excess"])}
    rows = table(
        *(sound("detour", "loud", seed, trace_similarity=values, trace_measure=measures)
          for seed, (values, measures) in traces.items())
    )  # fmt: skip
    plots.draw(rows, summary.summarise(rows, {"detour": "detour"}), tmp_path)
    excess, pull = (panel.get_lines()[0].get_ydata() for panel in drawn()[2].axes)
    np.testing.assert_allclose(excess, [0.3, 0.4, 0.7])
    assert np.ma.getmaskarray(pull).tolist() == [True, False, True]
    assert pull[1] == 9.0
