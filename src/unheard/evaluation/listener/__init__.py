"""The listener: hears instrument, family, tempo and key of a sound, and reads them from a caption.

It knows what it was made to know, here the instruments of the bundled model's world; `listener.json` beside
its weights names them. `words` reads captions, `network` hears.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from unheard.audio import resample
from unheard.common.files import sha256
from unheard.errors import ModelError
from unheard.evaluation.listener.network import (
    KEYS,
    SAMPLE_RATE,
    TEMPI,
    WINDOW,
    ListenerNetwork,
    pad,
)
from unheard.evaluation.listener.words import Instrument, Said, Vocabulary

__all__ = ["Heard", "Instrument", "Listener", "Said", "Vocabulary"]

WEIGHTS, KNOWN = "model.safetensors", "listener.json"


@dataclass(frozen=True)
class Heard:
    """What a sound is most like: names of instrument and family, beats per minute, a key such as "C# minor".

    There is always an answer, also of silence, and of a sound that has no beat or key.
    """

    instrument: str
    family: str
    tempo: float
    key: str


class Listener:
    """What `hear`s sounds, and knows the words for what it hears.

    Args:
        network: its parameters are frozen.
        vocabulary: its instruments are the network's, in order.
        weights: the files they came from, for `sha256`.
    """

    def __init__(
        self, network: ListenerNetwork, vocabulary: Vocabulary, weights: tuple[Path, ...] = ()
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.vocabulary = vocabulary
        self._weights = weights
        families = [each.family for each in vocabulary.instruments]
        self._families = sorted(set(families))
        self._members = torch.tensor([self._families.index(family) for family in families])

    @classmethod
    def load(cls, folder: str | Path, *, device: str | torch.device = "cpu") -> Self:
        """A listener from its folder, with `model.safetensors` and `listener.json`.

        Raises:
            ModelError: a file is missing or is none of a listener.
        """
        files = (Path(folder) / WEIGHTS, Path(folder) / KNOWN)
        try:
            known = json.loads(files[1].read_text(encoding="utf-8"))
            vocabulary = _vocabulary(known)
            network = _network(len(vocabulary.instruments), load_file(files[0]))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(
                f"cannot load the listener in {folder}: {reason}; give a folder with {WEIGHTS} and {KNOWN}"
            ) from error
        return cls(network.to(device), vocabulary, files)

    @cached_property
    def sha256(self) -> str | None:
        """Checksum of the weights and words, or None for a listener that came from no file."""
        return sha256(*self._weights) if self._weights else None

    def said(self, caption: str) -> Said:
        """See `Vocabulary.said`."""
        return self.vocabulary.said(caption)

    @torch.no_grad()
    def hear(self, waveforms: Tensor, sample_rate: int) -> list[Heard]:
        """What is heard of waveforms `[batch, channels, time]`, one after another.

        Of a sound longer than the network's window, the mean of the log-likelihoods in windows that overlap
        by half.
        """
        return [self._hear(resample(sound.mean(0), sample_rate, SAMPLE_RATE)) for sound in waveforms.float()]

    def _hear(self, sound: Tensor) -> Heard:
        """Of a waveform `[time]` at the network's rate."""
        last = max(len(sound) - WINDOW, 0)
        starts = [*range(0, last, WINDOW // 2), last]
        windows = [pad(sound[None, start : start + WINDOW]) for start in starts]
        logits = self.network(torch.cat(windows))
        instruments, tempi, keys = (
            values.log_softmax(1).mean(0).cpu() for values in (logits.instruments, logits.tempi, logits.keys)
        )
        likelihoods = torch.zeros(len(self._families)).index_add(0, self._members, instruments.exp())
        return Heard(
            instrument=self.vocabulary.instruments[int(instruments.argmax())].name,
            family=self._families[int(likelihoods.argmax())],
            tempo=float(TEMPI[tempi.argmax()]),
            key=KEYS[int(keys.argmax())],
        )


def _network(instruments: int, weights: Mapping[str, Tensor]) -> ListenerNetwork:
    network = ListenerNetwork(instruments)
    try:
        network.load_state_dict({name: value.float() for name, value in weights.items()})
    except RuntimeError as error:  # a page that names every tensor
        raise ValueError(f"{WEIGHTS} and {KNOWN} are not of one listener") from error
    return network


def _vocabulary(known: Mapping[str, Any]) -> Vocabulary:
    instruments = [Instrument(**{**each, "words": tuple(each["words"])}) for each in known["instruments"]]
    return Vocabulary(instruments, known["families"])
