"""From noise to latents: schedules, samplers, and what is predicted at each step.

settings          sampler, steps, noise levels and guidance scale, as a user sets them; no torch
schedules         noise levels, from much noise to none
levels            the noise level of a batch, as a tensor and as a number
brownian          the motion whose increments stochastic samplers add
brownian_tree     the same as it was before, to make those sounds again
noise             what a trajectory begins with, and what is added on the way, drawn ahead
samplers          samplers over `model(x, sigma)`
parameterisation  what a network sees and says, and what that is in `x`, `sigma` and denoised estimates
prediction        the two predictions of a step, classifier-free guidance, the pull of a prompt
prompt_guidance   what stands for the prediction without a prompt: itself, or a projection
"""
