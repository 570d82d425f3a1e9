"""ACE-Step 1.5: `backbone` drives the parts of diffusers' pipeline, `template` writes what they read."""
