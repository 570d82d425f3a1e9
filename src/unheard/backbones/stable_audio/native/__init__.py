"""Stable Audio in the layout of stable-audio-tools, as creators publish it.

configuration  what `model_config.json` says, or a refusal by the name of the key
renaming       from the names of weights in stable-audio-tools to those in diffusers' classes
modules        diffusers' classes as a configuration has them
backbone       the parts together, with the text encoder that the configuration names
"""
