"""Pictures of sounds: spectrograms, matrices and trajectories, as PNG, PDF or SVG.

spectrogram  decibels in bands of even octaves, for every picture of a sound
drawing      the paper's pictures, by matplotlib
"""
