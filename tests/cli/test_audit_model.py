"""Against the model: the replication rate with its interval, and a prompt's risk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from replaying import RECORDINGS, ReplayingBackbone
from scipy.stats import binomtest

import unheard
import unheard.generation.model
from unheard import Catalogue
from unheard.auditing.auditor import Auditor
from unheard.cli import main
from unheard.diffusion.prompt_pull import prompt_pull
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError
from unheard.generation.model import Model
from unheard.generation.replication_rate import Rate, replication, wilson

RECORDING = RECORDINGS / "00001.flac"


@pytest.fixture(scope="module")
def real(tiny_model_folder: Path) -> Model:
    return unheard.load(tiny_model_folder)


@pytest.fixture
def replaying(real: Model) -> Callable[[], Model]:
    """Of every four sounds, the first two replay."""

    def build() -> Model:
        backbone = ReplayingBackbone(real.backbone, lambda number: RECORDING if number % 4 < 2 else None)
        return Model(backbone, real.defaults, real.embedder, real.name)  # type: ignore[arg-type]

    return build


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


def test_the_rate_of_a_model_that_replays_every_other_time(replaying: Callable[[], Model]) -> None:
    model = replaying()
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


def test_a_rate_counts_what_a_rejection_would_hide(replaying: Callable[[], Model]) -> None:
    model, catalogue = replaying(), Catalogue.from_files({"one": RECORDING})
    request = model.request("A bell", guidance=None, index=None, reject="copy")
    with pytest.raises(InputError, match="leave out reject"):
        replication(model, request, Auditor(catalogue))


def test_risk_by_hand(real: Model) -> None:
    """Wen et al.'s measure, told once more with Euler, one start after the other."""
    sampling = Sampling("euler", num_inference_steps=5, sigma_min=0.3, sigma_max=100, guidance_scale=2.5)
    prompts, seeds = ["A bell", "A fast rock drum loop, 120 bpm"], [3, 8]
    found = prompt_pull(real.backbone, prompts, sampling=sampling, duration=0.8, seeds=seeds, steps=3)
    sigmas = [100 * (0.3 / 100) ** (step / 4) for step in range(4)]
    for prompt, risk in zip(prompts, found, strict=True):
        norms = torch.zeros(2, 3)
        for row, seed in enumerate(seeds):
            x = (
                100
                * torch.randn(real.backbone.latent_shape, generator=torch.Generator().manual_seed(seed))[None]
            )
            conditional = real.backbone.encode([prompt], [0.0], [0.8])
            unconditional = real.backbone.encode_unconditional([None], [0.0], [0.8])
            for step, (sigma, lower) in enumerate(pairwise(sigmas)):
                level = torch.tensor([sigma])
                with torch.no_grad():
                    with_prompt = real.backbone.denoise(x, level, conditional)
                    without = real.backbone.denoise(x, level, unconditional)
                # Predicted noise is (x - denoised) / sigma.
                norms[row, step] = ((x - with_prompt) / sigma - (x - without) / sigma).norm()
                denoised = without + 2.5 * (with_prompt - without)
                x = denoised + lower / sigma * (x - denoised)
        assert risk.prompt == prompt
        torch.testing.assert_close(torch.tensor(risk.steps), norms.mean(dim=0), rtol=2e-3, atol=1e-5)
        assert risk.pull == pytest.approx(float(norms.mean()), rel=2e-3)


def test_a_prompt_that_says_nothing_bears_no_risk(real: Model) -> None:
    """With the guidance scale at any value: no difference, no risk."""

    class Deaf:
        def __getattr__(self, name: str) -> object:
            return getattr(real.backbone, name)

        def encode(self, prompts: list[str], *timing: object) -> object:
            return real.backbone.encode_unconditional([None] * len(prompts), *timing)  # type: ignore[arg-type]

    (risk,) = prompt_pull(Deaf(), ["A bell"], sampling=real.defaults.sampling, duration=1.0)  # type: ignore[arg-type]
    assert risk.pull == pytest.approx(0, abs=1e-5)


def test_risk_needs_a_seed_and_a_step(real: Model) -> None:
    for options in ({"seeds": ()}, {"steps": 0}):
        with pytest.raises(InputError, match="needs a seed and a step"):
            prompt_pull(real.backbone, ["A bell"], sampling=Sampling(), duration=1.0, **options)  # type: ignore[arg-type]


def test_prompts_on_the_command_line(
    replaying: Callable[[], Model], real: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(unheard.generation.model, "load", lambda *_, **__: replaying())
    Path("p.txt").write_text("A bell\nA soft pad with strings, 90 bpm!\nA bell\n")
    line = "audit --prompts p.txt --seeds 4 --no-guidance --duration 3 --batch 2 --report r"
    arguments = [*line.split(), "--model", real.name, "--references", str(RECORDING)]
    result = CliRunner().invoke(main, [*arguments, "--json", "--fail-on", "copy"])
    assert result.exit_code == 3, result.output
    found = json.loads(result.stdout)
    assert [file["verdict"] for file in found["files"]] == ["copy", "copy", "clear", "clear"] * 2
    assert found["replication"]["rate"] == 0.5
    assert [each["seeds"] for each in found["replication"]["prompts"]] == [[0, 1, 2, 3]] * 2
    assert all(each["risk"] > 0 for each in found["replication"]["prompts"])
    names = sorted(path.name for path in Path("r/sounds").glob("*.wav"))
    assert names[4] == "0005 A soft pad with strings, 90 bpm, seed 0.wav"
    assert sorted(path.name for path in Path("r/findings").iterdir()) == [f"{n}-0.js" for n in (0, 1, 4, 5)]
    result = CliRunner().invoke(main, arguments)
    assert re.search(r"2/4 +A bell +15% to 85%", result.stdout), result.stdout
    assert "without guidance: 50.0% of 8 sounds (21.5% to 78.5% with 95 % confidence)" in result.stdout


@pytest.mark.parametrize("during", ["generating", "measuring"])
def test_ctrl_c_keeps_the_rates(
    replaying: Callable[[], Model], real: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(unheard.generation.model, "load", lambda *_, **__: replaying())
    measure, calls = unheard.generation.replication_rate.prompt_pull, 0

    def interrupted(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return measure(*arguments, **options)  # type: ignore[arg-type]

    judge = Auditor.judge

    def stopped(auditor: Auditor, sound: object, name: str | None = None) -> object:
        if name == "sound 4":
            raise KeyboardInterrupt
        return judge(auditor, sound, name)  # type: ignore[arg-type]

    if during == "generating":
        monkeypatch.setattr(Auditor, "judge", stopped)
    else:
        monkeypatch.setattr(unheard.generation.replication_rate, "prompt_pull", interrupted)
    Path("p.txt").write_text("A bell\nA soft pad\n")
    line = "audit --prompts p.txt --seeds 2 --no-guidance --duration 3 --batch 2 --json --csv n.csv"
    arguments = [*line.split(), "--model", real.name, "--references", str(RECORDING)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 130
    found = json.loads(result.stdout)["replication"]
    assert found["prompts"][0]["verdicts"] == ["copy", "copy"]
    if during == "generating":
        assert (found["replayed"], found["judged"]) == (2, 3)
        assert [each["seeds"] for each in found["prompts"]] == [[0, 1], [0]]
    else:
        assert (found["replayed"], found["judged"]) == (2, 4)
        assert [each["risk"] is None for each in found["prompts"]] == [False, True]
    assert Path("n.csv").exists()
