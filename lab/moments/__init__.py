"""A network of moments: it hears what happens within .7 s, and knows it in a sound that was made anew.

The audit's envelopes ask how alike two whole passages are. This network gives each frame of 25 ms a vector
from the envelopes around it. It is trained to find the moment in the same sound with other microstructure,
and to tell it from moments of other sounds of the family. Along a shared lag, the frames' log likelihood
ratios add up. The audit does not use it yet; docs/lab.md says what that takes.

    network.py        envelopes to vectors of frames, and to log likelihood ratios of pairs of frames
    read_out.py       the ratios of two sounds to one number
    treatments.py     how a sound is made anew for training
    making.py         real and rendered sounds, treated
    material.py       what training reads
    augmentation.py   what is changed at each step
    losses.py         what training asks
    train.py          training

`python -m lab.moments --device cuda` makes `weights.safetensors`, which lies beside these files.
"""
