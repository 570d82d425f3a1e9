"""Stable Audio Open: `backbone` drives the parts of diffusers' pipeline, `oobleck` decodes for gradients."""
