"""The detour's thresholds for a model and a training set, from captions that the training set has once.

captions     which captions are ordinary, and which are suspected
measuring    what the gates say of captions; what was measured is cached
thresholds   from what ordinary captions reach to a threshold at a stated rate of false alarms
record       what came of it: a file, read back with every value checked; no torch
calibrating  all of it, with a few finished and audited sounds as the proof
"""
