"""From noise to latents: schedules, samplers, and what is predicted at each step.

settings     sampler, steps, noise levels and guidance scale, as a user sets them; no torch
samplers     noise levels, noise, and samplers over `model(x, sigma)`
prediction   the two predictions of a step, classifier-free guidance, the pull of a prompt
prompt_pull  how hard prompts pull, which tells memorised ones without the training set
"""
