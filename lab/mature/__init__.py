"""A model that was trained for long, on an accelerator, and keeps to its captions; see `docs/lab.md`.

captions    what is planted, all new
corpus      the obedient world's corpus, more ordinary sounds, and what is planted
train       how the obedient world's weights are trained on
"""
