"""Copies of memorised captions that are said in other words: `python -m benchmarks.other_words`.

    python -m benchmarks.other_words --model MODEL --memorised FILE --references FOLDER --calibration FILE

Each caption of the laboratory's `memorised.json` that repeats `BY_HEART` times and more is said in the ways
of `VARIANTS`, at one seed; two seconds a sound. The model's folder brings no recordings, so that the detour
has none at hand; the audit has all of them. A caption counts as copied if it is under any variant. Without a
calibration there is no guidance.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import unheard
from unheard.auditing.assembly import auditor_for
from unheard.common.intervals import clopper_pearson
from unheard.generation.calibration.record import Calibration

BY_HEART = 64
SEED = 1000
CHOICES = 7
"""Seed of what is left out, exchanged or shuffled."""
COPIES = ("copy", "partial copy")

Variant = Callable[[str, random.Random], str]


def words(caption: str) -> list[str]:
    """Without commas."""
    return caption.replace(",", " ").split()


def one_left_out(caption: str, rng: random.Random) -> str:
    """All words but one."""
    said = words(caption)
    said.pop(rng.randrange(len(said)))
    return " ".join(said)


def in_another_order(caption: str, rng: random.Random) -> str:
    """The words, shuffled."""
    said = words(caption)
    rng.shuffle(said)
    return " ".join(said)


def with_a_typing_error(caption: str, rng: random.Random) -> str:
    """Two letters inside the longest word exchanged."""
    said = words(caption)
    longest = max(range(len(said)), key=lambda number: len(said[number]))
    letters = list(said[longest])
    if len(letters) > 3:
        at = rng.randrange(1, len(letters) - 2)
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    said[longest] = "".join(letters)
    return " ".join(said)


VARIANTS: dict[str, Variant] = {
    "lower case, no commas": lambda caption, rng: " ".join(words(caption.lower())),
    "a word left out": one_left_out,
    "said twice": lambda caption, rng: f"{caption}, {caption}",
    "in another order": in_another_order,
    "a typing error": with_a_typing_error,
    '"something like" before it': lambda caption, rng: f"something like {caption}",
    '", studio recording, high quality, no vocals" behind it': (
        lambda caption, rng: f"{caption}, studio recording, high quality, no vocals"
    ),
    "what stands before the first comma": lambda caption, rng: caption.split(",", maxsplit=1)[0],
    '"The sound of" before it, lower case': lambda caption, rng: f"The sound of {caption.lower()}",
}


class Asked(NamedTuple):
    """A memorised caption, said in another way."""

    caption: str
    variant: str
    prompt: str


def variants_of(captions: list[str]) -> list[Asked]:
    """Each caption in all ways, the same at every call."""
    rng = random.Random(CHOICES)
    return [
        Asked(caption, name, change(caption, rng))
        for caption in captions
        for name, change in VARIANTS.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="a folder that brings no recordings")
    parser.add_argument("--memorised", type=Path, required=True, help="the laboratory's memorised.json")
    parser.add_argument("--references", type=Path, required=True, help="the training set's recordings")
    parser.add_argument("--calibration", type=Path, help="of the detour, without recordings (default: none)")
    parser.add_argument("--batch", type=int, default=8, help="sounds at once (default: 8)")
    given = parser.parse_args()
    model = unheard.load(given.model)
    guidance = None
    if given.calibration is not None:
        guidance = Calibration.read(given.calibration).detour(model.defaults.duration, recordings=0)
    known = json.loads(given.memorised.read_text())
    asked = variants_of(sorted({each["caption"] for each in known if each["repetitions"] >= BY_HEART}))
    auditor = auditor_for(given.references, None, None, None)
    verdicts: dict[str, Counter[str]] = {name: Counter() for name in VARIANTS}
    copied: dict[str, bool] = {each.caption: False for each in asked}
    for first in range(0, len(asked), given.batch):
        some = asked[first : first + given.batch]
        prompts = [each.prompt for each in some]
        sounds = model.generate(prompts, seed=[SEED] * len(some), guidance=guidance, batch=given.batch)
        for each, sound in zip(some, sounds, strict=True):
            verdict = auditor.judge((sound.waveform, sound.sample_rate)).verdict
            verdicts[each.variant][verdict] += 1
            verdicts[each.variant]["under another caption"] += sound.fallback is not None
            verdicts[each.variant]["made again"] += "instead_of" in sound.provenance
            copied[each.caption] |= verdict in COPIES
            if verdict in COPIES:
                print(f"{verdict}: {each.prompt}; {sound.outcome}")
    print_table(verdicts, copied)


def print_table(verdicts: dict[str, Counter[str]], copied: dict[str, bool]) -> None:
    """Copies and what else became of the sounds, by variant, and the captions copied under any."""
    columns = ("similar", "clear", "under another caption", "made again")
    print(f"| variant | sounds | copies | {' | '.join(columns)} |")
    print(f"|---|{'--:|' * (2 + len(columns))}")
    for name, found in {**verdicts, "all": sum(verdicts.values(), Counter())}.items():
        copies = sum(found[verdict] for verdict in COPIES)
        sounds = sum(found.values()) - found["under another caption"] - found["made again"]
        print(f"| {name} | {sounds} | {copies} | {' | '.join(str(found[column]) for column in columns)} |")
    low, high = clopper_pearson(sum(copied.values()), len(copied))
    print(f"captions copied: {sum(copied.values())} of {len(copied)} ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
