"""A second world: the bundled model, trained on until it has memorised 88 more captions.

Everything that was chosen for the bundled model was chosen on its own 30 memorised captions. These captions
are others, nothing was chosen on them, and half of them, and of the ordinary ones beside them, are prose.
`python -m lab.planted` makes the whole; `captions.py` has the captions.
"""
