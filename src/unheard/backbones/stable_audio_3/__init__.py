"""Stable Audio 3 (arXiv 2605.17991): text-to-audio of any length by a rectified flow.

backbone      the model as encode, denoise and decode
conditioning  a text without a mask, and a duration
schedule      its times
same          its autoencoder, in pieces
layers        LoRAs merged into its weights
native        a model as Stability AI publishes it
pipeline      inside of diffusers' own pipelines
library       its parts in diffusers and transformers
"""
