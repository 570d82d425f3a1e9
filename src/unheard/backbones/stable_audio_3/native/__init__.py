"""Stable Audio 3 as Stability AI publishes it, and as creators hand it on.

configuration  what `model_config.json` says, or a refusal by the name of the key
renaming       from the names of weights in Stability AI's code to those in diffusers' classes
chunked        the block of an autoencoder that attends in chunks
modules        diffusers' classes as a configuration has them
backbone       the parts together, with the text encoder that the configuration names
"""
