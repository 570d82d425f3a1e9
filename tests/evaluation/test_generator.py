"""Batches: the noise they are matched by, what they depend on, and what becomes of sounds that fail."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from small_experiment import batch_ids

from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.errors import InputError, ModelError
from unheard.evaluation import identity, run
from unheard.evaluation.batch import Batch
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.generator import Generator
from unheard.evaluation.local_engine import LocalEngine
from unheard.guidance import GuidanceWarning, describe_guidance, read_guidance
from unheard.guidance.detour.settings import EXCESS, PULL, Detour


def test_settings_are_compared_on_the_same_noise(file: Path) -> None:
    gates = {"shut": 2.0, "open": -1.0}
    file.write_text(
        file.read_text().replace(
            "[[prompts]]",
            "".join(
                f"[settings.{name}]\nguidance = {{kind = 'amg', lambda_min = {at}, lambda_max = {at}}}\n"
                for name, at in gates.items()
            )
            + "[[prompts]]",
        )
    )
    rows = run.evaluate(Experiment.read(file), file.parent / "out").table.to_pylist()
    sounds: dict[str, list[str]] = {}
    for row in rows:
        sounds.setdefault(row["setting"], []).append(row["audio_sha256"])
    assert {row["acted"] for row in rows if row["setting"] == "open"} == {2}
    assert sounds["shut"] == sounds["none"]  # to the last bit: a guidance that never acts changes nothing
    assert not {*sounds["open"]} & {*sounds["none"]}


def test_a_row_tells_the_caption_that_a_sound_went_on_under(file: Path) -> None:
    open_gate = '[settings.c1]\nguidance = {kind = "detour", pull = 0.0}'
    text = file.read_text()
    assert "[settings.c1]" in text
    before, after = text.split("[settings.c1]")
    file.write_text(before + open_gate + after[after.index("\n", 1) :])
    rows = run.evaluate(Experiment.read(file), file.parent / "out").table.to_pylist()
    told = {(row["setting"], row["fallback"] is None, row["prompt_weight"] is None) for row in rows}
    assert told == {("none", True, True), ("c1", False, False)}


def test_what_a_sound_depends_on_makes_another_part(file: Path) -> None:
    text = file.read_text()
    (file.parent / "more").mkdir()
    shutil.copytree(file.parent / "references", file.parent / "more", dirs_exist_ok=True)

    def ids(*changes: tuple[str, str]) -> list[str]:
        changed = text
        for before, after in changes:
            assert before in changed
            changed = changed.replace(before, after)
        file.write_text(changed)
        return batch_ids(file)

    detour = (
        '[settings.c1]\nguidance = {kind = "amg", c2 = 0, c3 = 0}',
        '[settings.c1]\nguidance = "detour"',
    )
    plain, detoured = ids(), ids(detour)
    assert plain[::2] == detoured[::2]
    assert not {*plain[1::2]} & {*detoured}
    assert not {*ids(("num_inference_steps = 2", "num_inference_steps = 3"))} & {*plain}
    assert ids(('judge = "', 'bound = "similar"\njudge = "'), ('held_out = "unseen"\n', "")) == plain
    assert ids(('references = "references"', 'references = "more"')) == plain
    assert ids(('references = "references"', 'references = "more"'), detour) == detoured
    noise = np.random.default_rng(5).uniform(-0.5, 0.5, 24_000)
    soundfile.write(file.parent / "more" / "train_01.wav", noise, 16_000)
    assert ids(('references = "references"', 'references = "more"')) == plain
    other = ids(('references = "references"', 'references = "more"'), detour)
    assert other[::2] == plain[::2]
    assert not {*other[1::2]} & {*detoured}


def test_a_setting_of_another_name_than_once_keeps_the_names_of_its_batches(file: Path) -> None:
    now = describe_guidance(Detour(prompt_weight=0.3))
    earlier = identity.by_former_names(now)
    assert earlier == {
        "kind": "detour",
        "threshold": 0.3,
        "pull": 0.54,
        "prompt_share": 0.3,
        "blend_threshold": 0.5,
        "candidates": 64,
    }
    assert read_guidance(earlier) == Detour(prompt_weight=0.3)
    assert identity.by_former_names(None) is None

    def ids(guidance: str) -> list[str]:
        file.write_text(re.sub(r"guidance = \{.*?\}", f"guidance = {guidance}", text))
        return batch_ids(file)

    text = file.read_text()
    assert ids("{kind = 'detour', prompt_share = 0.3}") == ids("{kind = 'detour', prompt_weight = 0.3}")


def test_what_an_index_knows_of_its_recordings_is_not_read_again(
    indexless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = indexless.parent
    text = re.sub(r'guidance = \{kind = "amg"[^}]*\}', 'guidance = "detour"', indexless.read_text())

    def ids(text: str) -> list[str]:
        indexless.write_text(text)
        return batch_ids(indexless)

    with monkeypatch.context() as patch:
        patch.setattr(identity, "sha256", lambda path: pytest.fail(f"{path} was read"))
        known = ids(text)
    shutil.copytree(folder / "references", folder / "copies")
    assert ids(f'references = "copies"\n{text}') == known
    first = min((folder / "copies").glob("*.wav"))
    first.write_bytes(first.read_bytes() + b"\0")
    assert ids(f'references = "copies"\n{text}') != known


@pytest.mark.filterwarnings("ignore::unheard.guidance.GuidanceWarning")
def test_a_guidance_may_be_given_a_share_of_the_recordings_and_the_audit_has_all(file: Path) -> None:
    kept = "guidance = 'detour'\nrecordings ="
    shares = f"[settings.half]\n{kept} 0.5\n[settings.most]\n{kept} 0.9\n[settings.nothing]\n{kept} 0\n"
    all_of_them = f"[settings.c1]\nguidance = 'detour'\n{shares}"
    file.write_text(re.sub(r"\[settings\.c1\]\n.*\n", all_of_them, file.read_text()))
    local = LocalEngine(Experiment.read(file))
    (generator,) = {id(found): found for found in map(local.generator, local.experiment.settings)}.values()
    origins = {name: generator.origin(name)["recordings"] for name in local.experiment.settings}
    assert origins["none"] is origins["nothing"] is None
    assert origins["most"] == origins["c1"]  # .9 of two are two
    assert len({*origins.values()}) == 3
    assert [generator.measure(name) for name in ("c1", "half", "nothing")] == [EXCESS, EXCESS, PULL]
    half, everything = generator.training_set.with_share(0.5), generator.training_set
    assert half.recordings.items() < everything.recordings.items()
    assert half.audited_with == everything.audited_with == 2
    rows = run.evaluate(local.experiment, file.parent / "out").table.to_pylist()
    assert {row["setting"]: {*row["trace_measure"]} for row in rows}["nothing"] == {PULL}
    assert all(row["verdict"] is not None for row in rows)


@pytest.mark.parametrize("share", ["1.1", "-0.1", "'half'"])
def test_a_share_of_the_recordings_is_between_0_and_1(file: Path, share: str) -> None:
    file.write_text(file.read_text().replace("[settings.c1]\n", f"[settings.c1]\nrecordings = {share}\n"))
    with pytest.raises(InputError, match="recordings"):
        Experiment.read(file)


def test_a_batch_that_fails_gives_its_other_sounds(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sounds = Generator.sounds

    def failing(self: Generator, batch: Batch) -> Any:
        if any("bell" in prompt.text for prompt in batch.prompts):
            raise ModelError("not finite")
        return sounds(self, batch)

    monkeypatch.setattr(Generator, "sounds", failing)
    results = run.evaluate(Experiment.read(file), file.parent / "out")
    rows = results.table.to_pylist()
    assert [row["error"] for row in rows if "bell" in row["prompt"]] == ["not finite"] * 4
    others = [row for row in rows if "bell" not in row["prompt"]]
    assert len({row["audio"] for row in others if (file.parent / "out" / row["audio"]).is_file()}) == 4
    assert all(row["clap_score"] is not None and row["batch_prompts"] == [row["prompt"]] for row in others)


def test_a_batch_that_does_not_fit_into_memory_is_made_sound_by_sound(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, sizes = StableAudioBackbone.decode, []

    def with_little_memory(self: StableAudioBackbone, latents: torch.Tensor) -> torch.Tensor:
        sizes.append(len(latents))
        if len(latents) > 1 or little:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return decode(self, latents)

    monkeypatch.setattr(StableAudioBackbone, "decode", with_little_memory)
    little = False
    rows = run.evaluate(Experiment.read(file), file.parent / "out").table.to_pylist()
    assert sizes[:3] == [2, 1, 1]
    assert len(rows) == 8
    assert all(row["error"] is None and row["batch_prompts"] == [row["prompt"]] for row in rows)
    little = True
    rows = run.evaluate(Experiment.read(file), file.parent / "none").table.to_pylist()
    assert all(row["audio"] is None for row in rows)
    assert all("out of memory: lower --duration (now 1 s)" in row["error"] for row in rows)


def test_what_a_guidance_cannot_do_is_said_once(file: Path) -> None:
    guidance = "[settings.c1]\nguidance = 'detour'\n"
    file.write_text(re.sub(r"\[settings\.c1\]\n.*\n", guidance, file.read_text()))
    with pytest.warns(GuidanceWarning, match="the recordings of 2 of 12 items") as told:
        run.evaluate(Experiment.read(file), file.parent / "out")
    assert len([each for each in told if issubclass(each.category, GuidanceWarning)]) == 1
