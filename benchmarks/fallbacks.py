"""What the detour falls back on, and what is then heard: `python -m benchmarks.fallbacks`.

On the memorised captions of one side (`lab.split`) and, without guidance, on its ordinary ones; two seeds a
caption, with the recordings that `tiny` brings. For each caption whose gate opens stand its fallback caption,
the prompt's weight, and the instruments asked for and heard by the bundled listener; at the end, in how many
captions the fallback names the instrument, and in how many sounds the listener hears it. Ten minutes of a
core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import unheard
from lab.split import FIRST_SEED, split
from unheard.backbones.hub import ASSETS
from unheard.evaluation.listener import Listener
from unheard.evaluation.metrics.kept import kept

SEEDS = 2


@dataclass(frozen=True)
class Made:
    """A sound: its caption, the one that it went on under if any, and whether what is asked for is heard."""

    caption: str
    fallback: str | None
    weight: float | None
    asked: str | None
    heard: str
    kept: dict[str, bool | None]


def made(model: unheard.Model, listener: Listener, captions: list[str], guidance: str) -> Iterator[Made]:
    """Two sounds a caption, one caption after the other."""
    assert model.index is not None
    captions_by_id = dict(zip(model.index.ids, model.index.prompts, strict=True))
    for caption in captions:
        for sound in model.generate([caption] * SEEDS, seed=FIRST_SEED["development"], guidance=guidance):
            (heard,), said = listener.hear(sound.waveform[None], sound.sample_rate), listener.said(caption)
            last = sound.trace[-1]
            yield Made(
                caption,
                None if last.fallback is None else captions_by_id[last.fallback],
                last.prompt_weight,
                said.instrument,
                heard.instrument,
                kept(said, heard),
            )


def share(sounds: list[Made], what: str) -> str:
    """In how many sounds it is kept, of those whose caption asks for it."""
    told = [sound.kept[what] for sound in sounds if sound.kept[what] is not None]
    return f"{sum(map(bool, told))} of {len(told)}"


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    model, listener = unheard.load("tiny"), Listener.load(ASSETS / "tiny" / "listener")
    captions = split()["development"]
    sounds = list(made(model, listener, captions["memorised"], "detour"))
    named: dict[str, bool] = {}
    for sound in sounds:
        if sound.fallback is not None:
            print(f"{sound.caption!r} -> {sound.fallback!r}, {sound.weight:g} of the prompt: {sound.heard}")
            if sound.asked is not None:
                named[sound.caption] = listener.said(sound.fallback).instrument == sound.asked
    ordinary = list(made(model, listener, captions["ordinary"], "none"))
    print(f"the fallback names the instrument: {sum(named.values())} of {len(named)} captions")
    for what in ("instrument_kept", "family_kept", "tempo_kept"):
        print(f"{what}: {share(sounds, what)} under the detour, {share(ordinary, what)} of ordinary sounds")


if __name__ == "__main__":
    main()
