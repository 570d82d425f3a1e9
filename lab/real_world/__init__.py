"""A world in which the recordings that a model knows by heart are real ones; see `docs/lab.md`.

captions    what real recordings are called, by where they lie in their packages
corpus      the second world's corpus, and real recordings under free licences
train       what is drawn from
"""
