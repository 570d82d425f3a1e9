"""For which prompts an index has nothing to fall back on: `python -m benchmarks.fitting_captions`.

Asked in the bundled index, or another: sounds that the laboratory's worlds have none of, music in the words
of a user, and the planted captions of the worlds. Nothing is generated. Half a minute of a core.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import unheard
from benchmarks.fallback_captions import BATCH, candidates_of
from lab.fresh.captions import planted as fresh
from lab.mature.captions import planted as mature
from lab.obedient.captions import planted as obedient
from lab.planted.captions import planted
from unheard.embedders import load_embedder
from unheard.index import Index

ABSENT = """rain on a roof; a dog barks twice; sine tone at 1100 Hz; applause in a large hall; someone
whistling in the street; a woman speaks while a car passes; thunder and heavy rain; birds chirping in a forest
at dawn; a train horn in the distance; footsteps on gravel; glass breaking; water dripping in a
cave; a baby crying; keyboard typing; crowd cheering at a football match; engine starting and
idling; a cat meowing; wind howling through trees; police siren approaching; frying food sizzling; a
toilet flushing; helicopter flying overhead; door creaking open slowly; gunshots and explosions;
white noise; ocean waves on the shore; bees buzzing; a clock ticking; a phone ringing; children
laughing in a playground; church congregation murmurs; a man snoring; sawing wood; fireworks; horses
galloping; a vacuum cleaner; hail on a tin roof; frogs croaking at night; ice cubes in a glass; an
elevator door"""
MUSIC = """lonely trumpet call over an empty square; a sad piano melody; jazz trio with brushes; slow cello;
banjo fast; funky bass guitar riff at 110 bpm; ambient synth pad, dreamy; church organ; 808 drum
loop, 140 bpm; metal guitar solo; a choir singing hallelujah; music box lullaby; gentle harp
glissando for a spa; Irish fiddle jig; epic orchestral strings; sitar meditation; tribal percussion;
walking bass; saxophone in a smoky bar; clarinet klezmer tune; bossa nova guitar; harpsichord
baroque; accordion waltz in Paris; flute by the river; marimba in the jungle; house beat, 124 bpm;
hip hop drums with vinyl crackle; latin percussion groove; solo violin, melancholic; steel drums on
a beach"""


def listed(prompts: str) -> list[str]:
    """Prompts between semicolons, each on one line."""
    return [" ".join(prompt.split()) for prompt in prompts.split(";")]


def unfit(index: Any, embedder: Any, prompts: Sequence[str]) -> list[str]:
    """The prompts that no caption of the index fits."""
    found = []
    for start in range(0, len(prompts), BATCH):
        some = prompts[start : start + BATCH]
        candidates = candidates_of(index, embedder, some)
        found += [prompt for sample, prompt in enumerate(some) if not candidates.fitting(sample)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    bundled = Path(unheard.__file__).parent / "assets" / "tiny"
    parser.add_argument("--model", type=Path, default=bundled, help="guide and index (default: the bundled)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    index, embedder = Index.open(arguments.model / "index.json"), load_embedder(arguments.model / "guide")
    for name, prompts in (
        ("sounds of no training set", listed(ABSENT)),
        ("music in a user's words", listed(MUSIC)),
        *(
            (f"planted, {world.__module__.split('.')[1]}", [each.caption for each in world()])
            for world in (planted, obedient, fresh, mature)
        ),
    ):
        lost = unfit(index, embedder, prompts)
        print(f"{name}: nothing fits {len(lost)} of {len(prompts)}: {'; '.join(lost)}", flush=True)


if __name__ == "__main__":
    main()
