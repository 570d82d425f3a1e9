"""What tells a detour that the sound on its way is a training recording.

base          what gates are asked, answer, and need to know of a training set
latents       the prediction's latents against those of the recordings that are available
doubted       the same where it is hardly above the threshold: the prompt has to pull as well
pull          where none are available: how far the prompt pulls the prediction in high noise
settled_pull  the same, as far as it settles the sound
shown         and the recording that the prompt's own prediction shows then
recalled      and the recordings that the model shows under captions like the one tried, or the prompt
either        where some are available and some are not
"""
