"""Importing past diffusers' packages leaves them as they are to whoever asks for the rest."""

from __future__ import annotations

import subprocess
import sys

BESIDE = """
import sys, types
import scipy.optimize as before
from scipy.optimize import linear_sum_assignment as assignment_before

from unheard.backbones import load_backbone

backbone = load_backbone("tiny", device="cpu")
zoo = [name for name in sys.modules if name.startswith("diffusers.models.transformers.")]
assert len(zoo) < 10, zoo

# What was imported before us is left alone.
from scipy.optimize import linear_sum_assignment
assert sys.modules["scipy.optimize"] is before
assert type(before) is types.ModuleType
assert linear_sum_assignment is assignment_before

# The compiler.
import torch
from diffusers.models.transformers.stable_audio_transformer import StableAudioDiTBlock
from transformers.integrations.flex_attention import WrappedFlexAttention
assert "torch._dynamo.eval_frame" not in sys.modules
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)) == 2
assert torch._dynamo.trace_rules.is_callable_allowed(StableAudioDiTBlock)
assert WrappedFlexAttention.__init__._torchdynamo_disable

# A package, by its modules and its names.
import diffusers.models.transformers as package
from diffusers.models.autoencoders.vae import Decoder
from diffusers.models.autoencoders import AutoencoderKL, AutoencoderOobleck
assert type(backbone.vae) is AutoencoderOobleck
assert isinstance(AutoencoderKL().decoder, Decoder)
assert "FluxTransformer2DModel" in dir(package)
assert not hasattr(package, "NoSuchModel")
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
assert package.FluxTransformer2DModel is FluxTransformer2DModel
from diffusers.models.transformers import *
assert type(backbone.transformer) is StableAudioDiTModel
from diffusers.models.unets import UNet2DModel as one
from diffusers import UNet2DModel as other
assert one is other

# The pipeline.
import diffusers
assert isinstance(backbone.vae, diffusers.AutoencoderOobleck)
assert isinstance(backbone.transformer, diffusers.StableAudioDiTModel)
pipeline = diffusers.StableAudioPipeline.from_pretrained(backbone.folder)
assert type(pipeline.vae) is type(backbone.vae)
assert type(pipeline.projection_model) is type(backbone.projection_model)

# transformers.
import transformers
text_encoder = transformers.AutoModel.from_pretrained(backbone.folder / "guide")
assert type(text_encoder) is transformers.ClapModel
assert isinstance(backbone.text_encoder, transformers.T5EncoderModel)
assert "t5" in dir(transformers.models)
"""


def test_the_libraries_work_as_ever_beside_a_loaded_model() -> None:
    """How each part comes in by itself is in `tests/common/test_imports.py`."""
    run = subprocess.run([sys.executable, "-c", BESIDE], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
