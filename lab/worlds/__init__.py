"""Three worlds on one corpus, with captions that no earlier one had; see `docs/lab.md`.

captions    what is planted, as in `lab/planted`: doses, takes, templates and prose
corpus      the second world's corpus, then these
flow        an autoencoder of 64 channels and hop 1024, and a rectified flow on its latents
train       each world's diffusion model
pack        each world as a model's folder
"""
