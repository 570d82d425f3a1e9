"""The training of the audit's network of moments, `unheard.auditing.moment_network`.

The audit's envelopes ask how alike two whole passages are. The network gives each frame of 25 ms a vector
from the envelopes around it. It is trained to find the moment in the same sound with other microstructure,
and to tell it from moments of other sounds of the family. Along a shared lag, the frames' log likelihood
ratios add up.

    treatments.py     how a sound is made anew for training
    making.py         real and rendered sounds, treated
    material.py       what training reads
    augmentation.py   what is changed at each step
    losses.py         what training asks
    train.py          training

`python -m lab.moments --device cuda` makes weights.
"""
