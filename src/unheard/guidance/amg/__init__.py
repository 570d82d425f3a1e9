"""The published anti-memorization guidance: its `settings`, its `equations`, and the `denoiser`.

`decoding` says how much of a prediction is decoded, `gate_head` foresees where the gate stays shut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from unheard.guidance.amg.denoiser import AMGDenoiser, Foresight
    from unheard.guidance.amg.settings import AMG
    from unheard.guidance.trajectory import Trajectory


def make_denoiser(settings: AMG, trajectory: Trajectory) -> AMGDenoiser:
    """The denoiser of one trajectory."""
    from unheard.guidance.amg.decoding import decoder_of
    from unheard.guidance.amg.denoiser import AMGDenoiser

    return AMGDenoiser(
        trajectory.backbone.denoise,
        trajectory.conditional,
        trajectory.unconditional,
        guidance_scale=trajectory.guidance_scale,
        prompt_guidance=trajectory.backbone.prompt_guidance(),
        settings=settings,
        decode=decoder_of(settings, trajectory),
        embed=trajectory.embed,
        index=trajectory.index,
        encode_neighbours=trajectory.encode_neighbours,
        foresight=_foresight(trajectory) if settings.gate_head else None,
    )


def _foresight(trajectory: Trajectory) -> Foresight:
    """What the trajectory's gate head sees."""
    import torch

    from unheard.guidance.amg.denoiser import Foresight

    head, fit = trajectory.gate_head

    def embed(latents: Tensor) -> Tensor:
        by_frame = torch.stack([trajectory.by_frame(each) for each in trajectory.trim(latents)])
        vectors: Tensor = head(by_frame)
        return vectors

    return Foresight(embed, fit.margin)
