"""AudioLDM 2, around the parts of diffusers' pipeline.

backbone      encode, denoise, decode
prompts       four networks that make two streams of a prompt
conditioning  these two streams
times         discrete times and their noise
pipeline      a guidance inside diffusers' pipeline
mel           how recordings are heard
library       what it is made of in diffusers and transformers
"""
