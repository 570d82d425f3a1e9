"""Models as Stability AI's own code reads them, and as creators publish them: what the families share.

layout        which files are such a model, and of which family
section       an object of its configuration, closed when all in it was asked for
checkpoint    the weights in a checkpoint, by the names that they have there
renaming      where the numbers of a weight are in diffusers' classes
filling       those classes, filled with a checkpoint's weights
text_encoder  where the text encoder is that a configuration names
"""
