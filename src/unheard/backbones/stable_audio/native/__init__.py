"""Stable Audio in the layout of stable-audio-tools, as creators publish it.

configuration  what `model_config.json` says, or a refusal by the name of the key
section        an object of that file, closed when all in it was asked for
checkpoint     the weights in a checkpoint, by the names that they have in stable-audio-tools
renaming       from those names to the ones in diffusers' classes
modules        diffusers' classes as a configuration has them, filled with a checkpoint's weights
backbone       the parts together, with the text encoder that the configuration names
"""
