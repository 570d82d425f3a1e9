"""The obedient world's model after it has learnt other recordings by heart: for reports; see `docs/lab.md`.

captions    what is planted, all new
corpus      the obedient world's corpus, and what is planted
train       how long the obedient world's weights are trained on, and on what
"""
