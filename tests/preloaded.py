"""What the program imports to make sounds and to build an index, for processes that are forked with it."""

from importlib import import_module

from unheard.common.model_libraries import defer_unused_parts
from unheard.index.store.lance import lancedb, pyarrow

defer_unused_parts()
lancedb()
pyarrow()
for name in (
    "unheard.cli",
    "unheard.backbones.stable_audio.backbone",
    "unheard.embedders.clap",
    "unheard.generation.model",
    "unheard.guidance.amg.denoiser",
    "unheard.index.building.builder",
    "transformers.models.clap.modeling_clap",
    "transformers.models.clap.feature_extraction_clap",
    "transformers.models.roberta.tokenization_roberta",
):
    import_module(name)
