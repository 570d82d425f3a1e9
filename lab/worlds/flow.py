"""The parts of the world that is a rectified flow: another latent space, and a transformer for it.

Its autoencoder has 64 channels and hop 1024. It computes what the bundled one does: two frames of that are
one here, turned in space by a fixed rotation, with wider layers that hold nothing else. So both hear alike,
and no latent of one is a latent of the other. The transformer's heads have 64 numbers, as the configuration
of stable-audio-tools can say.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderOobleck, StableAudioDiTModel
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from torch import Tensor, nn

from lab import sizes
from lab.train_diffusion import Generator

CHANNELS, HOP, HEAD = 64, 2 * sizes.HOP, 64
FRAMES = sizes.LENGTH // HOP
MULTIPLES = [1, 2, 8]


def rotation(channels: int) -> Tensor:
    """`[64, 2 * channels]` with orthonormal columns: from two frames of so many channels to one of ours."""
    drawn = torch.randn(CHANNELS, CHANNELS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.linalg.qr(drawn).Q[:, : 2 * channels].float()


def latents_of(bundled: Tensor) -> Tensor:
    """`[sounds, 64, frames / 2]` of the bundled autoencoder's `[sounds, channels, frames]`."""
    pairs = torch.cat([bundled[..., 0::2], bundled[..., 1::2]], dim=1)
    return torch.einsum("oc,bct->bot", rotation(bundled.shape[1]), pairs)


@torch.no_grad()
def autoencoder(bundled: AutoencoderOobleck) -> AutoencoderOobleck:
    """One that encodes to `latents_of` what the bundled one encodes to, and decodes that as it does."""
    made = AutoencoderOobleck(
        encoder_hidden_size=2 * CHANNELS,
        decoder_input_channels=CHANNELS,
        decoder_channels=64,
        channel_multiples=MULTIPLES,
        downsampling_ratios=[8, 8, 16],
        audio_channels=1,
        sampling_rate=sizes.SAMPLE_RATE,
    )
    theirs, ours = bundled.encoder, made.encoder
    _widen(theirs.conv1, ours.conv1)
    for number in range(3):
        for name in ("res_unit1", "res_unit2", "res_unit3"):
            _widen_residual(getattr(theirs.block[number], name), getattr(ours.block[number], name))
        _widen_snake(theirs.block[number].snake1, ours.block[number].snake1)
    for number in range(2):
        _widen(theirs.block[number].conv1, ours.block[number].conv1)
    _pair_frames(theirs.block[2].conv1, ours.block[2].conv1)
    _repeat_snake(theirs.snake1, ours.snake1)
    _rotate_out(theirs.conv2, ours.conv2, bundled.config.decoder_input_channels)

    theirs, ours = bundled.decoder, made.decoder
    _rotate_in(theirs.conv1, ours.conv1)
    for number in range(3):
        first = number == 0
        (_repeat_snake if first else _widen_snake)(theirs.block[number].snake1, ours.block[number].snake1)
        (_unpair_frames if first else _widen)(theirs.block[number].conv_t1, ours.block[number].conv_t1)
        for name in ("res_unit1", "res_unit2", "res_unit3"):
            _widen_residual(getattr(theirs.block[number], name), getattr(ours.block[number], name))
    _widen_snake(theirs.snake1, ours.snake1)
    _widen(theirs.conv2, ours.conv2)
    return made.eval()


def _weight(conv: nn.Module) -> Tensor:
    """Of a layer with weight norm, whose first axis has the gains."""
    return conv.weight_g * conv.weight_v / conv.weight_v.flatten(1).norm(dim=1)[:, None, None]


def _set(conv: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
    """Give it a weight; where a row is zero, its direction stays what it was and its gain is zero."""
    gains = weight.flatten(1).norm(dim=1)[:, None, None]
    conv.weight_v.copy_(torch.where(gains > 0, weight, conv.weight_v))
    conv.weight_g.copy_(gains)
    if bias is not None:
        conv.bias.copy_(bias)


def _padded(values: Tensor, like: Tensor) -> Tensor:
    """In the first places of zeros like that."""
    out = torch.zeros_like(like)
    out[tuple(slice(0, length) for length in values.shape)] = values
    return out


def _widen(theirs: nn.Module, ours: nn.Module) -> None:
    bias = None if theirs.bias is None else _padded(theirs.bias, ours.bias)
    _set(ours, _padded(_weight(theirs), ours.weight_v), bias)


def _widen_snake(theirs: nn.Module, ours: nn.Module) -> None:
    ours.alpha.copy_(_padded(theirs.alpha, ours.alpha))
    ours.beta.copy_(_padded(theirs.beta, ours.beta))


def _repeat_snake(theirs: nn.Module, ours: nn.Module) -> None:
    """For two frames, one after the other."""
    ours.alpha.copy_(_padded(theirs.alpha.repeat(1, 2, 1), ours.alpha))
    ours.beta.copy_(_padded(theirs.beta.repeat(1, 2, 1), ours.beta))


def _widen_residual(theirs: nn.Module, ours: nn.Module) -> None:
    _widen_snake(theirs.snake1, ours.snake1)
    _widen(theirs.conv1, ours.conv1)
    _widen_snake(theirs.snake2, ours.snake2)
    _widen(theirs.conv2, ours.conv2)


def _at(weight: Tensor, taps: int, first: int) -> Tensor:
    """Along more taps, from one of them on."""
    out = weight.new_zeros(*weight.shape[:2], taps)
    out[..., first : first + weight.shape[2]] = weight
    return out


def _pair_frames(theirs: nn.Module, ours: nn.Module) -> None:
    """A convolution of stride 8 as one of stride 16 whose output is two frames, one after the other."""
    weight, taps = _weight(theirs), ours.weight_v.shape[2]
    both = torch.cat([_at(weight, taps, 4), _at(weight, taps, 12)])
    _set(ours, _padded(both, ours.weight_v), _padded(theirs.bias.repeat(2), ours.bias))


def _unpair_frames(theirs: nn.Module, ours: nn.Module) -> None:
    """A transposed convolution of stride 8 as one of stride 16 that is given two frames."""
    weight, taps = _weight(theirs), ours.weight_v.shape[2]
    both = torch.cat([_at(weight, taps, 4), _at(weight, taps, 12)])
    _set(ours, _padded(both, ours.weight_v), _padded(theirs.bias, ours.bias))


def _rotate_out(theirs: nn.Module, ours: nn.Module, channels: int) -> None:
    """The encoder's last layer: the means of two frames, rotated. The deviations are those of a bias."""
    mean, turned = _weight(theirs)[:channels], rotation(channels)
    width = mean.shape[1]
    pairs = mean.new_zeros(2 * channels, 2 * width, 3)
    for frame in range(2):
        for tap in range(3):
            at = frame + tap - 1
            rows = slice(frame * channels, (frame + 1) * channels)
            pairs[rows, (at % 2) * width : (at % 2 + 1) * width, at // 2 + 1] += mean[:, :, tap]
    bias = turned @ theirs.bias[:channels].repeat(2)
    weight = torch.einsum("oc,cwt->owt", turned, pairs)
    _set(ours, _padded(weight, ours.weight_v), _padded(bias, ours.bias))


def _rotate_in(theirs: nn.Module, ours: nn.Module) -> None:
    """The decoder's first layer: from rotated pairs of frames to two frames, one after the other."""
    weight = _weight(theirs)
    width, channels, taps = weight.shape
    turned = rotation(channels)
    both = weight.new_zeros(2 * width, CHANNELS, taps)
    for frame in range(2):
        for tap in range(taps):
            at = frame + tap - taps // 2
            own = turned[:, (at % 2) * channels : (at % 2 + 1) * channels]
            rows = slice(frame * width, (frame + 1) * width)
            both[rows, :, at // 2 + taps // 2] += weight[:, :, tap] @ own.T
    _set(ours, _padded(both, ours.weight_v), _padded(theirs.bias.repeat(2), ours.bias))


def with_transformer(generator: Generator) -> Generator:
    """A generator whose transformer is one for these latents; layers of the same shape keep their weights."""
    known = generator.transformer
    text_width = known.config.cross_attention_input_dim
    width = known.config.attention_head_dim * known.config.num_attention_heads
    heads = max(1, width // HEAD)
    transformer = StableAudioDiTModel(
        sample_size=FRAMES,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_layers=known.config.num_layers,
        attention_head_dim=HEAD,
        num_attention_heads=heads,
        num_key_value_attention_heads=heads,
        cross_attention_dim=heads * HEAD,
        time_proj_dim=256,
        global_states_input_dim=2 * text_width,
        cross_attention_input_dim=text_width,
    )
    own = transformer.state_dict()
    same = {name: x for name, x in known.state_dict().items() if name in own and own[name].shape == x.shape}
    transformer.load_state_dict(own | same)
    generator.transformer = transformer
    generator.rotary = tuple(
        get_1d_rotary_pos_embed(HEAD // 2, FRAMES + 1, use_real=True, repeat_interleave_real=False)
    )
    return generator
