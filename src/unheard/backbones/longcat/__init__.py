"""LongCat-AudioDiT: `backbone` drives the parts of diffusers' pipeline."""
