"""Trains text encoder and diffusion transformer: `python -m lab.train_diffusion --size cpu`. Resumes.

The velocity objective (`lab/objectives.py`) on the autoencoder's latents, with the conditioning that
StableAudioPipeline gives: text tokens, start and total seconds. Every item of the training set is drawn as
often as it repeats, which is what makes the model memorise. Muon on the matrices, AdamW on the rest, averaged
weights.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import StableAudioDiTModel
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from diffusers.pipelines.stable_audio import StableAudioProjectionModel
from torch import nn
from transformers import T5Config, T5EncoderModel

from lab import options, sizes
from lab.checkpoints import Checkpoint, learning_rate
from lab.corpus_files import Corpus
from lab.latents import encode_corpus
from lab.objectives import Objective, v_prediction
from lab.precision import mixed_precision
from lab.vocabulary import MAX_TOKENS, t5_tokenizer

DROPOUT = 0.1  # of the conditioning, for classifier-free guidance
MAX_SECONDS = 5
TRAINED = ("tokenizer", "text_encoder", "projection_model", "transformer")
"""Parts of a pipeline that come from here."""


class Generator(nn.Module):
    """The three trained parts: text encoder, projection of the conditioning, transformer."""

    def __init__(self, size: str, captions: list[str]) -> None:
        super().__init__()
        width, layers, text_width = (64, 2, 32) if size == "smoke" else (256, 4, 192)
        self.tokenizer = t5_tokenizer(captions)
        self.text_encoder = T5EncoderModel(
            T5Config(
                vocab_size=len(self.tokenizer),
                d_model=text_width,
                d_kv=32,
                d_ff=2 * text_width,
                num_layers=2,
                num_heads=text_width // 32,
                dropout_rate=0.0,
                feed_forward_proj="gated-gelu",
            )
        )
        self.projection_model = StableAudioProjectionModel(text_width, text_width, 0, MAX_SECONDS)
        self.transformer = StableAudioDiTModel(
            sample_size=sizes.FRAMES,
            in_channels=sizes.LATENT_CHANNELS[size],
            out_channels=sizes.LATENT_CHANNELS[size],
            num_layers=layers,
            attention_head_dim=32,
            num_attention_heads=width // 32,
            num_key_value_attention_heads=width // 64,
            cross_attention_dim=text_width,
            time_proj_dim=128,
            global_states_input_dim=2 * text_width,
            cross_attention_input_dim=text_width,
        )
        rotary = get_1d_rotary_pos_embed(16, sizes.FRAMES + 1, use_real=True, repeat_interleave_real=False)
        self.rotary = tuple(rotary)
        self._known: dict[str, int] = {}
        self._words = torch.zeros(2, 0, MAX_TOKENS, dtype=torch.long)

    def words(self, captions: list[str], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens of captions and their mask, each `[batch, tokens]`; a caption is read once."""
        new = [caption for caption in dict.fromkeys(captions) if caption not in self._known]
        if new:
            read = self.tokenizer(new, padding="max_length", truncation=True, return_tensors="pt")
            fresh = torch.stack([read.input_ids, read.attention_mask])
            self._words = torch.cat([self._words.to(device), fresh.to(device)], dim=1)
            self._known |= {caption: row for row, caption in enumerate(new, len(self._known))}
        rows = torch.tensor([self._known[caption] for caption in captions], device=device)
        tokens, mask = self._words[:, rows]
        return tokens, mask

    def forward(
        self,
        latents: torch.Tensor,
        times: torch.Tensor,
        captions: list[str],
        seconds: torch.Tensor,
        keep: torch.Tensor,
    ) -> torch.Tensor:
        """What it says of `[batch, channels, frames]` at its own `times`, for sounds of `seconds`.

        Where `keep` is 0 the tokens are zero, which is the pipeline's unconditional branch.
        """
        device = latents.device
        words, mask = self.words(captions, device)
        text = self.text_encoder(input_ids=words, attention_mask=mask).last_hidden_state
        projected = self.projection_model(text, torch.zeros_like(seconds), seconds)
        start, end = projected.seconds_start_hidden_states, projected.seconds_end_hidden_states
        text = projected.text_hidden_states * mask[..., None]
        tokens = torch.cat([text, start, end], dim=1) * keep[:, None, None]
        return self.transformer(
            latents,
            times,
            encoder_hidden_states=tokens,
            global_hidden_states=torch.cat([start, end], dim=2),
            rotary_embedding=tuple(r.to(device) for r in self.rotary),
            return_dict=False,
        )[0]

    def write(self, folder: Path) -> None:
        """Each of `TRAINED` as a pipeline's folder has it; they are in half precision from then on."""
        self.to("cpu", torch.float16)
        for part in TRAINED:
            getattr(self, part).save_pretrained(folder / part)


@torch.no_grad()
def measure(
    generator: Generator, corpus: Corpus, latents: torch.Tensor, objective: Objective, device: str
) -> dict[str, float]:
    """The loss at fixed noise: by repetitions of the caption, on ordinary and on held-out sounds."""
    groups = {"held out": corpus.held_out[:48], "ordinary": corpus.positions("ordinary")[:48]}
    for position in corpus.positions("memorised"):
        row = corpus.rows[position]
        groups.setdefault(f"x{row['repetitions']}", []).append(position)
    result = {}
    for name, positions in groups.items():
        positions = (positions * -(-48 // len(positions)))[:48]
        batch, rows = latents[positions].to(device), [corpus.rows[p] for p in positions]
        fixed = torch.Generator().manual_seed(0)
        times = torch.linspace(0.3, 0.98, len(rows))[torch.randperm(len(rows), generator=fixed)].to(device)
        z, times, target = objective(batch, times, torch.randn(batch.shape, generator=fixed).to(device))
        captions = [row["caption"] for row in rows]
        seconds = torch.tensor([row["duration"] for row in rows], device=device)
        with mixed_precision(device):
            output = generator(z, times, captions, seconds, torch.ones(len(rows), device=device))
        result[name] = round((output.float() - target).square().mean().item(), 3)
    return result


def optimizers(generator: Generator, peak: float) -> list[torch.optim.Optimizer]:
    """Muon on the matrices of the blocks, AdamW on the rest (Jordan et al. 2024)."""
    matrices = [p for p in generator.transformer.transformer_blocks.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    rest = [p for p in generator.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(
            matrices, lr=peak, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw", ns_steps=4
        ),
        torch.optim.AdamW(rest, lr=peak, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def deck_of(corpus: Corpus) -> np.ndarray:
    """Positions of the training sounds, each as often as it repeats."""
    return np.array([p for p in corpus.training for _ in range(corpus.rows[p]["repetitions"])])


def train(
    plan: sizes.Training,
    corpus: Corpus,
    latents: torch.Tensor,
    make: Callable[[], Generator],
    deck: np.ndarray,
    folder: Path,
    device: str,
    objective: Objective = v_prediction,
    every: int = 250,
) -> Generator:
    """Train what `make` makes (called twice: the average beside it) on positions drawn from `deck`.

    `latents` are all sounds of the corpus, `[sounds, channels, frames]`. Goes on from what is in `folder`,
    where it is kept `every` so many steps.
    """
    torch.manual_seed(0)
    generator, average = make().to(device), make().to(device)
    average.load_state_dict(generator.state_dict())
    muon, adam = optimizers(generator, plan.learning_rate)
    checkpoint = Checkpoint(folder)
    checkpoint.resume(generator=generator, average=average, muon=muon, adam=adam)
    latents = latents.to(device)
    started = time.monotonic()
    running = torch.zeros(())
    for step in range(checkpoint.step, plan.steps):
        begun = max(restart for restart in (0, *plan.restarts) if restart <= step)
        end = min(restart for restart in (*plan.restarts, plan.steps) if restart > step)
        for optimizer in (muon, adam):
            optimizer.param_groups[0]["lr"] = learning_rate(step - begun, end - begun, plan.learning_rate)
        # Drawn from the step, so that a run that was stopped goes on as it would have.
        rng = np.random.default_rng(step)
        torch.manual_seed(step)
        chosen = rng.choice(deck, plan.batch)
        rows = [corpus.rows[p] for p in chosen]
        captions = [
            row["caption"].lower() if random.Random(f"{step} {i}").random() < 0.1 else row["caption"]
            for i, row in enumerate(rows)
        ]
        seconds = torch.tensor([row["duration"] for row in rows], device=device)
        evenly = (rng.permutation(plan.batch) + rng.random(plan.batch)) / plan.batch
        shares = torch.from_numpy(evenly.astype(np.float32)).to(device)
        keep = torch.from_numpy((rng.random(plan.batch) >= DROPOUT).astype(np.float32)).to(device)
        batch = latents[torch.from_numpy(chosen).to(device)]
        z, times, target = objective(batch, shares, torch.randn(batch.shape, device=device))
        with mixed_precision(device):
            output = generator(z, times, captions, seconds, keep)
        loss = (output.float() - target).square().mean()
        generator.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
        muon.step()
        adam.step()
        with torch.no_grad():
            weight = 1.0 / min(step + 1, 300)
            torch._foreach_lerp_(list(average.parameters()), list(generator.parameters()), weight)
        # As a tensor: a number would have the host wait for the device at each step.
        running = loss.detach() if step == checkpoint.step else 0.98 * running + 0.02 * loss.detach()
        done = step + 1
        if done % every == 0 or done == plan.steps:
            elapsed = round(time.monotonic() - started)
            entry = {"step": done, "loss": round(running.item(), 4), "seconds": elapsed}
            entry |= measure(average, corpus, latents, objective, device)
            checkpoint.record(entry, generator=generator, average=average, muon=muon, adam=adam)
    return average


def from_nothing(size: str, corpus: Corpus, work: Path, device: str, steps: int | None = None) -> Generator:
    """The bundled model's: random weights, every training sound as often as it repeats."""
    plan = sizes.DIFFUSION[size]
    return train(
        replace(plan, steps=steps or plan.steps),
        corpus,
        encode_corpus(corpus, work / "vae", device),
        partial(Generator, size, corpus.captions),
        deck_of(corpus),
        work / "diffusion",
        device,
    )


def main() -> None:
    arguments = options.training(__doc__).parse_args()
    work, device = arguments.work, arguments.device
    corpus = Corpus(work / "corpus")
    from_nothing(arguments.size, corpus, work, device, arguments.steps)


if __name__ == "__main__":
    main()
