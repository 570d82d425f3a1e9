"""What a detour compares a sound with, and what it may fall back on: found in the index, once a sound."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple

from torch import Tensor

from unheard.errors import InputError
from unheard.guidance.base import GuidanceWarning
from unheard.guidance.detour.fit import MEANING, least_fit
from unheard.guidance.detour.gates.base import Found
from unheard.guidance.detour.numbers import nearness
from unheard.guidance.trajectory import Trajectory
from unheard.index.clustering.near_captions import likeness
from unheard.index.searching.captions import normalised

AROUND = 16
"""How many times the items that a sound is compared with are looked up around it, to choose from."""
NEAREST = 8
"""Recordings that are watched at a step because a prediction is nearest to them, of all that are encoded."""
RECALLED = 4
"""Captions like one that is tried of which the model is asked what it recalls, if recordings are missing."""
READ = 256
"""Captions that share the most words with a fallback caption, of which those written like it are chosen."""
FALLBACKS = 64
"""Captions that are read to find one to fall back on: half share the prompt's words, half its sound."""
SOUND = 0.3
"""What the cosine of the sounds that the words of two captions are said of counts for, beside `sharing`."""
NUMBERS = 0.2
"""What the same numbers count for, beside it."""


class _Fit(NamedTuple):
    """What part of the prompt's words a caption has, and the cosine of the text embeddings of both."""

    shared: float
    meant: float

    @property
    def value(self) -> float:
        """How well the caption fits, see `fit`."""
        return MEANING * self.meant + self.shared


class Candidates:
    """The training items around each prompt of a trajectory.

    Other wordings of a prompt have positions as well, from `len(index)` on.

    Args:
        trajectory: the sounds on their way.
        count: recordings that each sound is compared with.
        wordings: other wordings of each prompt.
    """

    def __init__(self, trajectory: Trajectory, count: int, wordings: Sequence[str] = ()) -> None:
        self._trajectory, self._count, self._wordings = trajectory, count, wordings
        self._unread: set[str] = set()
        self._like: dict[str, list[int]] = {}

    @property
    def complete(self) -> bool:
        """Whether every item's recording is available, and all that were to be read could be."""
        return self._all_available and not self._unread

    @cached_property
    def _all_available(self) -> bool:
        return len(self._trajectory.recordings) == len(set(self._trajectory.index.ids))

    def wording(self, position: int) -> str | None:
        """The other wording at a position; None where that is an item's."""
        number = position - len(self._trajectory.index)
        return None if number < 0 else self._wordings[number]

    def encode(self, positions: Sequence[int]) -> Any:
        """The conditioning of the captions at positions, with the timing of what is made here."""
        return self._trajectory.encode_texts([self._text(position) for position in positions])

    def _text(self, position: int) -> str:
        wording = self.wording(position)
        return self._trajectory.index.prompts[position] if wording is None else wording

    def of_caption(self, sample: int) -> Found:
        """All items of a sample's very caption."""
        return self.available(self._of_same_caption(sample))

    def sounding_like(self, denoised: Tensor) -> list[list[int]]:
        """Positions of the items that sound like predictions [samples, *latent_shape], for each.

        By the latents of all recordings, where they are encoded; else by the embedder, which is dear: the
        predictions are decoded for it.
        """
        if self._trajectory.coarse_latents is not None:
            by_frame, frames = self._trajectory.by_frame, self._trajectory.frames
            return [self._at_a_glance(by_frame(each)[:, :frames], self._count) for each in denoised]
        embeddings = self._trajectory.embed(self._trajectory.decode(denoised))
        return self._trajectory.index.search(embeddings, k=AROUND * self._count)[1].tolist()

    def around(self, sample: int, sounding: list[int]) -> Found:
        """Everything to compare a sample with, given what sounds like it, if that was asked.

        All items of the very caption; then by turns those that sound like it, of all around those whose
        captions are written like the prompt, and those that sound like the prompt; then any. Only items whose
        recordings are available, and each recording once.
        """
        same, near = self._of_same_caption(sample), self._near[sample]
        written = self._as_written(self._trajectory.prompts[sample], sorted({*sounding, *near}))
        by_turns = chain.from_iterable(zip(*filter(None, (sounding, written, near)), strict=False))
        everything = chain(same, by_turns, range(len(self._trajectory.index)))
        at_hand = set() if self._trajectory.coarse_latents is None else {*sounding}.difference(same, near)
        return self.available(everything, max(self._count, len(same)), at_hand)

    def around_caption(self, position: int) -> Found:
        """Everything that a sound under an item's caption may turn into.

        All items of the caption; then by turns those whose captions share the most of its words, and of all
        that share any those that are written like it. What a caption leads to is not told by how it sounds,
        nor by what the guide's embedder makes of it: a model that has learned another caption by heart
        answers to its words.
        """
        caption = self._text(position)
        own = self._trajectory.index.captions.positions(caption)
        return self.available(chain(own, self._like_caption(caption)), self._count)

    def missing_around(self, sample: int, position: int | None) -> list[int]:
        """One item of each caption most like another, `RECALLED` of those whose recordings are missing.

        The other is that at a position, which is none of them, or a prompt, whose own caption may be one.
        """
        if self._all_available:
            return []
        index, recordings = self._trajectory.index, self._trajectory.recordings
        caption = self._trajectory.prompts[sample] if position is None else self._text(position)
        own = None if position is None else normalised(caption)
        missing: dict[str, int] = {}
        for each in self._like_caption(caption):
            text = index.captions.texts[each]
            if index.ids[each] not in recordings and text != own:
                missing.setdefault(text, each)
            if len(missing) == RECALLED:
                break
        return list(missing.values())

    def _like_caption(self, caption: str) -> list[int]:
        """Positions by turns by the words that they share with a caption, and as they are written like it."""
        if caption not in self._like:
            by_words = self._trajectory.index.captions.sharing(caption, READ)
            written = self._as_written(caption, by_words)
            self._like[caption] = list(chain.from_iterable(zip(by_words, written, strict=True)))
        return self._like[caption]

    def nearest(self, denoised: Tensor, least: float = -1.0) -> Found:
        """Of all encoded recordings those that a prediction [features, frames] is most like, at a glance.

        Only those whose cosine is above `least`.
        """
        return self.available(self._at_a_glance(denoised, NEAREST, least))

    def _at_a_glance(self, denoised: Tensor, count: int, least: float = -1.0) -> list[int]:
        """Positions of the available recordings that a prediction [features, frames] is most like."""
        coarse, recordings = self._trajectory.coarse_latents, self._trajectory.recordings
        names = [] if coarse is None else coarse.nearest(denoised, count, least)
        return [self._position_of[name] for name in names if name in recordings and name in self._position_of]

    @cached_property
    def _position_of(self) -> dict[str, int]:
        """The last position of each id in the index."""
        return {name: position for position, name in enumerate(self._trajectory.index.ids)}

    def available(
        self, positions: Iterable[int], most: int | None = None, at_hand: Set[int] = frozenset()
    ) -> Found:
        """The first of the items whose recordings are available, each recording once, with their latents.

        Those `at_hand` were found among the available ones, so they tell nothing of how many these are.
        """
        index, recordings = self._trajectory.index, self._trajectory.recordings
        seen: set[str] = set()
        found: list[int] = []
        latents: list[Tensor] = []
        lacking = 0
        for position in positions:
            if len(found) == most:
                break
            name = index.ids[position]
            if name in seen:
                continue
            seen.add(name)
            if name not in recordings:
                lacking += 1
                continue
            try:
                latents.append(self._trajectory.latents_of(recordings[name]))
            except InputError as error:
                warnings.warn(f"not compared with: {error}", GuidanceWarning, stacklevel=2)
                self._unread.add(name)
                lacking += 1
                continue
            found.append(position)
        there = sum(position not in at_hand for position in found)
        return Found(found, latents, there / max(there + lacking, 1))

    def fitting(self, sample: int) -> list[int]:
        """What a sample may go on under: other wordings of its prompt, then captions that fit it.

        None of these, with a warning, where the nearest has little to do with the prompt.
        """
        prompt, first = self._trajectory.prompts[sample], len(self._trajectory.index)
        wordings = [first + number for number, text in enumerate(self._wordings) if text != prompt]
        read = self._read(sample)
        least = least_fit(self._trajectory.index, self._trajectory.embedder)
        if read and max(fit.value for fit in read.values()) >= least:
            return [*wordings, *self._by_sound(sample, read)]
        but = " but the wordings that were given" if wordings else ""
        warnings.warn(
            f"the training set has no caption that is like {prompt!r}: there is nothing to fall back on{but}",
            GuidanceWarning,
            stacklevel=2,
        )
        return wordings

    def fallbacks(self, sample: int) -> list[int]:
        """Positions of the items whose captions a sample may go on under, the nearest first.

        By what their captions share with the prompt: its words, rare ones and those that say most of the
        sound counting more; the way in which the sounds lie that all words of each are said of; its numbers.
        Of those that are equally near, the guide's text embedding tells. It decides no more, since it hardly
        tells one instrument from another. Only captions that the index has once, and that are not the prompt.
        """
        return self._by_sound(sample, self._read(sample))

    def _by_sound(self, sample: int, read: Mapping[int, _Fit]) -> list[int]:
        """Positions that were read, the nearest first; what is equally near stays in its order."""
        index, prompt = self._trajectory.index, self._trajectory.prompts[sample]
        own, *others = index.captions.sounds([prompt, *(index.prompts[position] for position in read)])
        near = {
            position: fit.shared
            + SOUND * float(own @ other)
            + NUMBERS * nearness(prompt, index.prompts[position])
            for (position, fit), other in zip(read.items(), others, strict=True)
        }
        return sorted(near, key=near.__getitem__, reverse=True)

    def _read(self, sample: int) -> dict[int, _Fit]:
        """Positions of captions to choose a fallback from, with how they fit, best first."""
        index, prompt = self._trajectory.index, self._trajectory.prompts[sample]
        own = self._of_same_caption(sample)

        def first(positions: Iterable[int]) -> Iterator[int]:
            usable = (each for each in positions if index.captions.alone(each) and each not in own)
            return islice(usable, FALLBACKS // 2)

        by_words = index.captions.sharing(prompt)
        read = list(dict.fromkeys([*first(by_words), *first(self._near[sample])]))
        if not read:
            return {}
        texts = self._trajectory.embedder.embed_text([index.prompts[position] for position in read])
        meant = (texts.to(self._said) @ self._said[sample]).tolist()
        shared = index.captions.shares([prompt], read)[0].tolist()
        fits = {position: _Fit(*fit) for position, *fit in zip(read, shared, meant, strict=True)}
        return dict(sorted(fits.items(), key=lambda item: item[1].value, reverse=True))

    @cached_property
    def _said(self) -> Tensor:
        """The prompts as the guide's embedder reads them [batch, dimension]."""
        return self._trajectory.embedder.embed_text(list(self._trajectory.prompts)).to(
            self._trajectory.backbone.device
        )

    @cached_property
    def _near(self) -> list[list[int]]:
        """For each prompt the positions of the items that sound like it."""
        return self._trajectory.index.search(self._said, k=AROUND * self._count)[1].tolist()

    def _as_written(self, caption: str, positions: Sequence[int]) -> list[int]:
        """Positions by how much their captions are written like another, the most alike first."""
        text, texts = normalised(caption), self._trajectory.index.captions.texts
        return sorted(positions, key=lambda position: likeness(text, texts[position]), reverse=True)

    def _of_same_caption(self, sample: int) -> list[int]:
        return self._trajectory.index.captions.positions(self._trajectory.prompts[sample])
