"""The closed loop: what replays is made again, and what always replays is never handed out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from replaying import RECORDINGS, ReplayingBackbone

import unheard
import unheard.generation.model
from unheard import Catalogue, RejectedError
from unheard.auditing import fingerprint_cache
from unheard.cli import main
from unheard.errors import InputError
from unheard.generation import provenance
from unheard.generation.model import Model, Progress
from unheard.generation.rejection import retry_seed, stronger
from unheard.generation.request import MAX_SEED
from unheard.guidance.amg.settings import AMG

RECORDING = RECORDINGS / "00001.flac"
SHORT: dict[str, Any] = {"duration": 3.0, "num_inference_steps": 2, "guidance": None, "index": None}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    names = ("00000", "00001", "00002", "00017")
    return Catalogue.from_files({name: RECORDINGS / f"{name}.flac" for name in names})


@pytest.fixture(scope="module")
def real(tiny_model_folder: Path) -> Model:
    return unheard.load(tiny_model_folder)


@pytest.fixture
def replaying(real: Model) -> Callable[..., Model]:
    """A model that replays whatever `replays` says for the sound of that number."""

    def build(replays: Callable[[int], Path | None]) -> Model:
        return Model(ReplayingBackbone(real.backbone, replays), real.defaults, real.embedder, real.name)  # type: ignore[arg-type]

    return build


def test_what_always_replays_is_refused(replaying: Callable[..., Model], catalogue: Catalogue) -> None:
    model = replaying(lambda number: RECORDING)
    with pytest.raises(RejectedError, match=r"each of 3 attempts replays.*copy of 00001, ") as refusal:
        model.generate("A bell", reject="copy", retries=2, references=catalogue, **SHORT)
    assert refusal.value.sounds == []
    (refused,) = refusal.value.refused
    assert [attempt.audit.verdict for attempt in refused.attempts] == ["copy"] * 3
    assert [attempt.seed for attempt in refused.attempts] == [retry_seed(0, attempt) for attempt in range(3)]
    assert model.backbone.decoded == 3  # type: ignore[attr-defined]


def test_a_retry_that_passes_is_handed_out_with_its_audit(
    replaying: Callable[..., Model], catalogue: Catalogue
) -> None:
    model = replaying(lambda number: RECORDING if number < 2 else None)
    (sound,) = model.generate("A bell", seed=7, reject="copy", references=catalogue, **SHORT)
    assert sound.seed == sound.provenance["seed"] == retry_seed(7, 2)
    audit = sound.provenance["audit"]
    assert audit["verdict"] == "clear"
    assert [(each["seed"], each["verdict"], each["reference"]) for each in audit["rejected"]] == [
        (7, "copy", "00001"),
        (retry_seed(7, 1), "copy", "00001"),
    ]
    assert audit["catalogue"]["items"] == 4


def test_only_rejected_sounds_are_made_again_and_others_come_at_once(
    replaying: Callable[..., Model], catalogue: Catalogue
) -> None:
    # Of four in one batch the first and the third replay; then the third alone.
    model = replaying(lambda number: RECORDING if number in (0, 2, 5) else None)
    request = model.request(["A bell"] * 4, reject="copy", batch=4, **SHORT)
    seen: list[Progress] = []
    sounds = list(model.stream(request, model.training_set(request.index, catalogue), seen.append))
    assert [sound.number for sound in sounds] == [1, 3, 0, 2]
    assert [sound.seed for sound in sounds] == [1, 3, retry_seed(0, 1), retry_seed(2, 2)]
    assert [len(sound.provenance["audit"]["rejected"]) for sound in sounds] == [0, 0, 1, 2]
    assert {(p.attempt, p.numbers) for p in seen} == {(0, (0, 1, 2, 3)), (1, (0, 2)), (2, (2,))}
    ordered = replaying(lambda number: RECORDING if number in (0, 2, 5) else None)
    again = ordered.generate(["A bell"] * 4, reject="copy", references=catalogue, batch=4, **SHORT)
    assert [sound.number for sound in again] == [0, 1, 2, 3]


def test_others_are_kept_where_one_is_refused(replaying: Callable[..., Model], catalogue: Catalogue) -> None:
    model = replaying(lambda number: RECORDING if number in (1, 2) else None)
    with pytest.raises(RejectedError, match=r"1 of 2 sounds is not written.*sound 2: copy") as refusal:
        model.generate(["A bell"] * 2, reject="partial copy", retries=1, references=catalogue, **SHORT)
    assert [sound.number for sound in refusal.value.sounds] == [0]


def test_guidance_grows_stronger(real: Model, catalogue: Catalogue) -> None:
    backbone = ReplayingBackbone(real.backbone, lambda number: RECORDING)
    model = Model(backbone, real.defaults, real.embedder)  # type: ignore[arg-type]
    gentle = replace(real.defaults.guidance, c3=0.0)  # a recording has no gradient
    options = {**SHORT, "guidance": gentle, "index": real.index}
    with pytest.raises(RejectedError) as refusal:
        model.generate("A bell", reject="copy", retries=2, references=catalogue, **options)
    used = [attempt.guidance for attempt in refusal.value.refused[0].attempts]
    assert used == [stronger(gentle, attempt) for attempt in range(3)]
    assert used[0] == gentle


def test_references_are_fingerprinted_once(
    replaying: Callable[..., Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model, references = replaying(lambda number: None), tmp_path / "references"
    references.mkdir()
    shutil.copy(RECORDING, references)
    first = model.generate("A bell", reject="copy", references=references, **SHORT)
    monkeypatch.setattr(fingerprint_cache, "Signal", lambda *_: pytest.fail("it was fingerprinted already"))
    again = model.generate("A bell", reject="copy", references=references, **SHORT)
    assert [sound.provenance["audit"]["catalogue"]["items"] for sound in (*first, *again)] == [1, 1]


@settings(deadline=None)
@given(
    weights=st.tuples(*[st.floats(0, 1e6)] * 3),
    low=st.floats(-0.5, 0.5),
    gap=st.floats(0, 0.5),
    attempt=st.integers(1, 100),
)
def test_the_schedule_only_ever_strengthens(
    weights: tuple[float, float, float], low: float, gap: float, attempt: int
) -> None:
    asked = AMG(*weights, lambda_min=low, lambda_max=low + gap)
    before, now = stronger(asked, attempt - 1), stronger(asked, attempt)
    assert before is not None
    assert now is not None
    assert all(getattr(now, name) >= getattr(before, name) for name in ("c1", "c2", "c3"))
    assert now.lambda_min < before.lambda_min
    assert now.lambda_max < before.lambda_max


@settings(deadline=None)
@given(st.integers(0, MAX_SEED), st.integers(0, 100))
def test_seeds_stay_in_range_and_never_repeat(seed: int, attempt: int) -> None:
    seeds = [retry_seed(seed, number) for number in range(attempt + 1)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= each <= MAX_SEED for each in seeds)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reject": "clear"}, "reject is 'clear'"),
        ({"reject": "bad"}, "reject is 'bad'"),
        ({"reject": "copy", "retries": -1}, "retries is -1"),
        ({"reject": "copy", "retries": 1.5}, "retries is 1.5"),
    ],
)
def test_bad_settings(replaying: Callable[..., Model], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replaying(lambda number: None).request("A bell", **SHORT, **options)


def test_without_references_it_says_what_to_give(real: Model) -> None:
    with pytest.raises(InputError, match="does not say where its sounds lie: name them"):
        real.stream(real.request("A bell", reject="copy"))  # has an index, but brings no recordings
    with pytest.raises(InputError, match="nothing to compare with"):
        real.stream(real.request("A bell", reject="copy", guidance=None, index=None))


# On the command line


@pytest.fixture
def run(
    replaying: Callable[..., Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "catalogue").mkdir()
    for name in ("00000", "00001"):
        (tmp_path / "catalogue" / f"{name}.flac").write_bytes((RECORDINGS / f"{name}.flac").read_bytes())

    def invoke(replays: Callable[[int], Path | None], *arguments: object) -> Result:
        monkeypatch.setattr(unheard.generation.model, "load", lambda *_, **__: replaying(replays))
        options = ("--duration", 3, "--num-inference-steps", 2, "--no-guidance", "--references", "catalogue")
        return CliRunner().invoke(main, ["generate", *map(str, (*arguments, *options))])

    return invoke


def test_no_sound_is_written_and_the_exit_code_is_3(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run(lambda number: RECORDING, "A bell", "--reject", "copy", "--retries", 1)
    assert result.exit_code == 3, result.output
    last = result.stderr.splitlines()[-1]
    assert last.startswith("unheard: the sound is not written, because each of 2 attempts replays")
    assert "copy of 00001.flac, 0." in last
    assert [path.name for path in tmp_path.iterdir()] == ["catalogue"]


def test_those_that_pass_are_written_under_their_own_numbers(run: Callable[..., Result]) -> None:
    result = run(
        lambda number: RECORDING if number in (0, 3) else None,
        *("A bell", "--count", 3, "--reject", "copy", "--retries", 1, "--output", "s.wav", "--json"),
    )
    assert result.exit_code == 3
    assert [each["file"] for each in json.loads(result.stdout)["results"]] == ["s-2.wav", "s-3.wav"]
    assert not Path("s-1.wav").exists()
    assert provenance.read("s-2.json")["audit"]["verdict"] == "clear"


def test_the_record_makes_the_sound_that_passed(run: Callable[..., Result]) -> None:
    result = run(lambda number: RECORDING if number == 0 else None, "A bell", "--reject", "copy")
    assert result.exit_code == 0, result.output
    record = provenance.read("audio.json")
    assert record["seed"] == retry_seed(0, 1)
    assert record["batch"]["seeds"] == [retry_seed(0, 1)]
    assert "audit: clear, compared with 2 recordings, after 1 rejected attempt" in result.stdout


def test_what_is_not_rejected_is_audited_as_well(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (lambda number: RECORDING, "A bell")
    result = run(*asked)
    assert "audit: copy of 00001.flac" in result.stdout
    audit = provenance.read("audio.json")["audit"]
    assert (audit["reject"], audit["verdict"], audit["rejected"]) == (None, "copy", [])
    assert "audit" not in run(*asked, "--no-audit").stdout
    assert "audit" not in provenance.read("audio.json")
    monkeypatch.setattr("unheard.cli.generate.AT_ONCE", 1)
    many = run(*asked)
    assert "not audited: 2 recordings are available; --audit compares with them" in many.stderr
    assert "audit:" not in many.stdout
    assert "audit: copy of" in run(*asked, "--audit").stdout
    assert "leave --no-audit out" in run(*asked, "--no-audit", "--reject", "copy").stderr


def test_recordings_that_cannot_be_used_leave_the_sound_without_an_audit(run: Callable[..., Result]) -> None:
    for path in Path("catalogue").iterdir():
        path.write_bytes(b"no sound")
    result = run(lambda number: None, "A bell")
    assert result.exit_code == 0, result.output
    assert "unheard: warning: not audited: no reference can be used" in result.stderr
    assert run(lambda number: None, "A bell", "--audit").exit_code == 2


def test_retries_without_reject_say_so() -> None:
    result = CliRunner().invoke(main, ["generate", "A bell", "--retries", "2"])
    assert result.exit_code == 2
    assert "--retries has nothing to do without --reject" in result.stderr
