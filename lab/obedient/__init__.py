"""A world whose model keeps to its captions as well as its training could make it; see `docs/lab.md`.

captions    what is planted, all new, of the instruments that are heard well
corpus      the bundled model's corpus, what is planted, and many ordinary sounds of these instruments
train       how long the bundled weights are trained on, and on what
"""
