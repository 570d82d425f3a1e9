"""Training that was stopped goes on as if it had not been."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lab import sizes, train_diffusion, train_guide, train_judge, train_listener, train_vae
from lab.checkpoints import Checkpoint, pack, unpack
from lab.corpus_files import Corpus
from lab.latents import encode_corpus


def test_a_checkpoint_gives_back_what_it_was_given(tmp_path: Path) -> None:
    module = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.load() is None
    checkpoint.log.append({"step": 7, "loss": 0.5})
    checkpoint.save(7, pack(module=module, optimizer=optimizer))
    checkpoint.save(8, pack(module=module, optimizer=optimizer))

    again, other = Checkpoint(tmp_path), torch.nn.Linear(3, 2)
    others = torch.optim.AdamW(other.parameters())
    state = again.load()
    assert state is not None
    unpack(state, module=other, optimizer=others)
    assert (again.step, again.log) == (8, [{"step": 7, "loss": 0.5}])
    torch.testing.assert_close(other.state_dict(), module.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(others.state_dict()["state"], optimizer.state_dict()["state"], rtol=0, atol=0)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["state-8.safetensors", "state.json"]


def train_autoencoder(corpus: Corpus, folder: Path, shared: Path) -> None:
    train_vae.train("smoke", corpus, folder, "cpu")


def train_the_guide(corpus: Corpus, folder: Path, shared: Path) -> None:
    train_guide.train("smoke", corpus, np.array(corpus.sounds), folder, "cpu")


def train_the_judge(corpus: Corpus, folder: Path, shared: Path) -> None:
    train_judge.train("smoke", listened_to(corpus), None, corpus.captions, folder, "cpu")


def train_the_listener(corpus: Corpus, folder: Path, shared: Path) -> None:
    train_listener.train("smoke", listened_to(corpus), None, folder, "cpu")


def listened_to(corpus: Corpus) -> Corpus:
    """The sounds as `lab.listening` has them: on three sides, with the notes of a trumpet scale."""
    sounds = copy.copy(corpus)
    notes = [(0.1 * n, 0.1 * n + 0.1, 60 + step) for n, step in enumerate((0, 2, 4, 5, 7, 9, 11))]
    played = {"drums": False, "program": 56, "family": "winds", "key": "C major", "notes": notes}
    sounds.rows = [
        {**row, **played, "prose": f"A trumpet, {row['caption']}", "split": side}
        for row, side in zip(
            corpus.rows, ["development"] * 3 + ["training"] * (len(corpus.rows) - 3), strict=True
        )
    ]
    return sounds


def train_transformer(corpus: Corpus, folder: Path, shared: Path) -> None:
    train_diffusion.train(
        sizes.DIFFUSION["smoke"],
        corpus,
        encode_corpus(corpus, shared, "cpu"),
        partial(train_diffusion.Generator, "smoke", corpus.captions),
        train_diffusion.deck_of(corpus),
        folder,
        "cpu",
    )


@pytest.mark.parametrize(
    ("plans", "train"),
    [
        (sizes.VAE, train_autoencoder),
        (sizes.CLAP, train_the_guide),
        (sizes.JUDGE, train_the_judge),
        (sizes.LISTENER, train_the_listener),
        (sizes.DIFFUSION, train_transformer),
    ],
    ids=["autoencoder", "guide", "judge", "listener", "transformer"],
)
def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(
    plans: dict[str, sizes.Training],
    train: Callable[[Corpus, Path, Path], None],
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    latents = torch.randn(len(corpus.rows), sizes.LATENT_CHANNELS["smoke"], sizes.FRAMES)
    save_file({"latents": latents}, tmp_path / "latents.safetensors")
    for folder, runs in (("at once", [2]), ("in two", [1, 2])):
        for steps in runs:  # all in the warm-up, which does not know how long the training will be
            monkeypatch.setitem(plans, "smoke", sizes.Training(steps, 4, 1e-3))
            train(corpus, tmp_path / folder, tmp_path)
    at_once, in_two = (load_file(tmp_path / name / "state-2.safetensors") for name in ("at once", "in two"))
    torch.testing.assert_close(in_two, at_once, rtol=0, atol=0)
