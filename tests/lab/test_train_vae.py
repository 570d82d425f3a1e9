"""The autoencoder: its latents are normalised, and its fast activation is the plain one."""

from __future__ import annotations

import torch
from diffusers.models.autoencoders.autoencoder_oobleck import Snake1d

from lab import fused_snake, sizes, train_vae
from lab.corpus_files import Corpus


@torch.no_grad()
def test_normalising_gives_unit_latents_and_leaves_the_sound_as_it_was(corpus: Corpus) -> None:
    torch.manual_seed(0)
    vae = train_vae.build("smoke").eval()
    for name, parameter in vae.named_parameters():
        if name.endswith("bias"):
            parameter.normal_(std=0.1)  # so that latents have means to take out
    waveforms = corpus.waveforms(corpus.training)
    before = train_vae.reconstruct(vae, waveforms)
    train_vae.normalise(vae, corpus)
    after = train_vae.reconstruct(vae, waveforms)

    latents = vae.encode(waveforms[:, None]).latent_dist.mean.transpose(0, 1).flatten(1)
    torch.testing.assert_close(latents.mean(dim=1), torch.zeros(len(latents)), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std(dim=1), torch.ones(len(latents)), atol=1e-4, rtol=0)
    interior = slice(11 * sizes.HOP, -11 * sizes.HOP)  # further from the edges than the decoder sees
    torch.testing.assert_close(after[:, interior], before[:, interior], atol=1e-5, rtol=1e-4)


def test_the_fused_snake_is_the_plain_one() -> None:
    """Forward and backward, written out by hand, against diffusers' own and autograd."""
    torch.manual_seed(0)
    plain = Snake1d(3).double()
    torch.nn.init.normal_(plain.alpha)
    torch.nn.init.normal_(plain.beta)
    x = torch.randn(2, 3, 7, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, 7, dtype=torch.float64)
    inputs = (x, plain.alpha, plain.beta)
    with torch.compiler.set_stance("force_eager"):
        output = fused_snake.FusedSnake.apply(*inputs)
        gradients = torch.autograd.grad((output * weights).sum(), inputs)
    expected = plain(x)
    torch.testing.assert_close(output, expected)
    for ours, theirs in zip(gradients, torch.autograd.grad((expected * weights).sum(), inputs), strict=True):
        torch.testing.assert_close(ours, theirs.to(ours.dtype), atol=1e-5, rtol=1e-5)
