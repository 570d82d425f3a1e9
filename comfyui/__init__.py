"""unheard in ComfyUI: link or copy this folder into `custom_nodes/`; see README.md.

nodes          the three nodes
detour         the patch that a model gets: what happens in each step of a sampling
backbone       ComfyUI's model, text encoder and autoencoder as what `unheard.guidance` asks for
conditioning   ComfyUI's conditioning, taken apart into sounds
"""

from __future__ import annotations

from .nodes import UnheardExtension


async def comfy_entrypoint() -> UnheardExtension:
    """What ComfyUI calls to learn of the nodes."""
    return UnheardExtension()
