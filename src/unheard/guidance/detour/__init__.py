"""Where the sound on its way is a training recording, its caption is left for a neighbouring one.

settings           thresholds, and how much of the prompt is kept
gates              what tells that a sound is a recording: its latents, or the pull of its prompt
correlation        latents of recordings against those of a prediction, at the best time shift
recording_latents  recordings as the model's autoencoder sees them, encoded once
coarse_latents     all of these at a glance: which a prediction is nearest to
look_ahead         what would become of a sound
candidates         the training items that a sound is compared with, and the captions to fall back on
numbers            how near the numbers of a caption are to the prompt's
fit                whether any of these captions has to do with the prompt
high_noise         down to which noise level the pull tells anything
readings           what the gates say of a trajectory that they do not change
search             what is tried, one after the other, until the gate shuts
denoiser           all of it, at every step
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.guidance.detour.candidates import Candidates
    from unheard.guidance.detour.denoiser import DetourDenoiser
    from unheard.guidance.detour.gates.base import Gate
    from unheard.guidance.detour.gates.recalled import Recollections
    from unheard.guidance.detour.settings import Detour
    from unheard.guidance.trajectory import Trajectory


def make_gate(
    settings: Detour,
    trajectory: Trajectory,
    candidates: Candidates,
    recollections: Recollections | None = None,
) -> Gate:
    """What tells that a sound is a recording: those that are available, and else the prompt."""
    from unheard.guidance.detour.gates.doubted import DoubtedGate
    from unheard.guidance.detour.gates.either import EitherGate
    from unheard.guidance.detour.gates.latents import LatentGate
    from unheard.guidance.detour.gates.pull import PullGate
    from unheard.guidance.detour.gates.recalled import RecalledGate
    from unheard.guidance.detour.gates.settled_pull import SettledPullGate
    from unheard.guidance.detour.gates.shown import ShownGate

    threshold, scale = settings.threshold, trajectory.guidance_scale
    frames, by_frame = trajectory.frames, trajectory.by_frame
    pull = PullGate(settings.pull, trajectory.trim, settings.high_noise)

    def settled_pull() -> Gate | None:
        if not settings.settled_pull:
            return None
        own = PullGate(settings.settled_pull, trajectory.trim, settings.high_noise)
        return SettledPullGate(own, frames, by_frame, tried=settings.blend_threshold, hard=settings.pull)

    def recalled(gate: Gate) -> Gate:
        return gate if recollections is None else RecalledGate(gate, recollections, scale)

    shown = ShownGate(settled_pull() or pull, threshold, frames, by_frame, scale)
    if not trajectory.recordings:
        return recalled(shown)
    sure = settings.sure_threshold
    latents: Gate = LatentGate(threshold, frames, candidates, by_frame, scale, sure)
    if sure > threshold:
        latents = DoubtedGate(latents, sure, pull, settled_pull())
    return recalled(EitherGate(latents, shown, candidates, trajectory.memorised))


def make_recollections(
    settings: Detour, trajectory: Trajectory, candidates: Candidates
) -> Recollections | None:
    """What the model recalls; None where all that it has memorised is at hand, or nothing was calibrated."""
    from unheard.guidance.detour.gates.pull import PullGate
    from unheard.guidance.detour.gates.recalled import Recollections

    if trajectory.memorised or not settings.settled_pull:
        return None
    hard, settled_pull = (
        PullGate(threshold, trajectory.trim, settings.high_noise)
        for threshold in (settings.pull, settings.settled_pull)
    )
    frames, by_frame = trajectory.frames, trajectory.by_frame
    return Recollections(candidates, hard, settled_pull, settings.threshold, frames, by_frame)


def make_denoiser(settings: Detour, trajectory: Trajectory) -> DetourDenoiser:
    """The denoiser of one trajectory."""
    from unheard.guidance.detour.candidates import Candidates
    from unheard.guidance.detour.denoiser import DetourDenoiser

    candidates = Candidates(trajectory, settings.candidates, settings.other_wordings)
    recollections = make_recollections(settings, trajectory, candidates)
    return DetourDenoiser(
        trajectory.backbone.denoise,
        trajectory.conditional,
        trajectory.unconditional,
        guidance_scale=trajectory.guidance_scale,
        prompt_guidance=trajectory.backbone.prompt_guidance(),
        prompt_weight=settings.prompt_weight,
        blend_threshold=settings.blend_threshold,
        gate=make_gate(settings, trajectory, candidates, recollections),
        recollections=recollections,
        fallbacks=candidates.fitting,
        encode_captions=candidates.encode,
        wording=candidates.wording,
        if_no_way=settings.if_no_way,
        way=settings.way,
    )
