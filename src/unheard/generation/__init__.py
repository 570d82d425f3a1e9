"""From a request to sounds, with what it takes to make them again.

request           what is asked for: a plain value, checked before any work; no torch
preset            guidance and sampling from a file; no torch
defaults          the settings that travel with a model; no torch
training_set      index, recordings, and whose they are
batches           a batch of prompts to sounds
unknown_words     what a model cannot read in a prompt
model             the whole story: load a model, generate sounds
init_audio        a recording that sounds begin from
attach            guidance inside a pipeline of diffusers
sound             what comes out: a waveform with its trace and its nearest training items
provenance        the JSON beside a WAV, and the way back from it
recorded          what that JSON says happened, as values
next_way          a detour's sound that is a copy after all, or in near silence, is made again
rejection         the closed loop: audit what was generated, and make copies again
replication_rate  how often a model's sounds replay, with its interval
out_of_memory     what to lower where a device's memory does not suffice
"""
