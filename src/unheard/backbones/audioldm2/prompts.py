"""From a prompt to AudioLDM 2's two streams: CLAP and T5 read it, GPT-2 goes on from both.

Liu et al. 2023 (arXiv 2308.05734), section on the "language of audio": GPT-2 reads CLAP's one state and T5's
states between learned marks, and its next eight states stand for the sound. The UNet attends to those eight
and to T5's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from unheard.backbones.audioldm2.conditioning import AudioLDM2Conditioning
from unheard.backbones.audioldm2.library import (
    AudioLDM2ProjectionModel,
    ClapModel,
    GPT2Model,
    PreTrainedTokenizerBase,
    T5EncoderModel,
)
from unheard.backbones.texts import known_tokens, tokenized

NAME = "AudioLDM 2"
"""What messages call the model."""
GENERATED = 8
"""States that GPT-2 goes on with where its configuration does not say: as in its training."""


@dataclass(frozen=True)
class PromptEncoder:
    """The pipeline's four text networks and two tokenizers, under the names of its parts.

    One text is encoded at a time. GPT-2 counts positions, padding among them, so what it makes of a text
    depends on how far the text was padded: as one of a batch it would not be what it is alone.
    """

    text_encoder: ClapModel
    text_encoder_2: T5EncoderModel
    tokenizer: PreTrainedTokenizerBase
    tokenizer_2: PreTrainedTokenizerBase
    projection_model: AudioLDM2ProjectionModel
    language_model: GPT2Model

    def __call__(self, text: str, tokens: int | None = None) -> AudioLDM2Conditioning:
        """The conditioning of one text.

        Args:
            text: the prompt, or the negative one.
            tokens: how many T5 reads, the text padded or cut to them; None for as many as there are, up to
                the tokenizer's limit.
        """
        clap = self._clap(text)
        states, mask = self._t5(text, tokens)
        projected = self.projection_model(
            hidden_states=clap,
            hidden_states_1=states,
            attention_mask=mask.new_ones(1, 1),
            attention_mask_1=mask,
        )
        generated = self._generate(projected.hidden_states, projected.attention_mask)
        return AudioLDM2Conditioning(generated, states, mask.float())

    def _clap(self, text: str) -> Tensor:
        """A unit vector as a sequence of one state, `[1, 1, dimension]`."""
        read = tokenized(
            self.tokenizer,
            [text],
            NAME,
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).to(self.text_encoder.device)
        ids = known_tokens(read.input_ids, self.text_encoder.text_model, NAME)
        features = self.text_encoder.get_text_features(ids, attention_mask=read.attention_mask)
        state: Tensor = features.pooler_output[:, None]
        return state

    def _t5(self, text: str, tokens: int | None) -> tuple[Tensor, Tensor]:
        """States `[1, tokens, dimension]` and which of them are of the text, `[1, tokens]`."""
        read = tokenized(
            self.tokenizer_2,
            [text],
            NAME,
            padding=False if tokens is None else "max_length",
            max_length=self.tokenizer_2.model_max_length if tokens is None else tokens,
            truncation=True,
            return_tensors="pt",
        ).to(self.text_encoder_2.device)
        ids = known_tokens(read.input_ids, self.text_encoder_2, NAME)
        output = self.text_encoder_2(ids, attention_mask=read.attention_mask)
        return output.last_hidden_state, read.attention_mask

    def _generate(self, states: Tensor, mask: Tensor) -> Tensor:
        """The states that GPT-2 goes on with, each of them read as the next, `[1, 8, dimension]`."""
        read, past, generated = states, None, []
        for _ in range(getattr(self.language_model.config, "max_new_tokens", None) or GENERATED):
            output = self.language_model(
                inputs_embeds=read, attention_mask=mask, past_key_values=past, use_cache=True
            )
            read, past = output.last_hidden_state[:, -1:], output.past_key_values
            mask = torch.cat([mask, mask.new_ones(1, 1)], dim=1)
            generated.append(read)
        return torch.cat(generated, dim=1)
