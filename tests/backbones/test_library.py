"""Importing past diffusers' packages leaves them as they are to whoever asks for the rest."""

from __future__ import annotations

import subprocess
import sys

LOADED = """
import os, sys, traceback
from unheard.backbones import load_backbone
backbone = load_backbone("tiny", device="cpu")
zoo = [name for name in sys.modules if name.startswith("diffusers.models.transformers.")]
assert len(zoo) < 10, zoo
for code in sys.argv[1:]:
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        assert status == 0, code
        continue
    try:
        exec(code)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
"""
BESIDE = {
    "the pipeline": "import diffusers\n"
    "assert isinstance(backbone.vae, diffusers.AutoencoderOobleck)\n"
    "assert isinstance(backbone.transformer, diffusers.StableAudioDiTModel)\n"
    "pipeline = diffusers.StableAudioPipeline.from_pretrained(backbone.folder)\n"
    "assert type(pipeline.vae) is type(backbone.vae)\n"
    "assert type(pipeline.projection_model) is type(backbone.projection_model)",
    "a package": "from diffusers.models.autoencoders import AutoencoderKL, AutoencoderOobleck\n"
    "from diffusers.models.autoencoders.vae import Decoder\n"
    "assert type(backbone.vae) is AutoencoderOobleck\n"
    "assert isinstance(AutoencoderKL().decoder, Decoder)",
    "a star": "from diffusers.models.transformers import *\n"
    "from diffusers.models.unets import UNet2DModel as one\n"
    "from diffusers import UNet2DModel as other\n"
    "assert type(backbone.transformer) is StableAudioDiTModel\n"
    "assert one is other",
    "dir": "import diffusers.models.transformers as package\n"
    "assert 'FluxTransformer2DModel' in dir(package)\n"
    "assert not hasattr(package, 'NoSuchModel')\n"
    "from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel\n"
    "assert package.FluxTransformer2DModel is FluxTransformer2DModel",
    "the compiler": "import torch\n"
    "from diffusers.models.transformers.stable_audio_transformer import StableAudioDiTBlock\n"
    "from transformers.integrations.flex_attention import WrappedFlexAttention\n"
    "assert 'torch._dynamo.eval_frame' not in sys.modules\n"
    "assert torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)) == 2\n"
    "assert torch._dynamo.trace_rules.is_callable_allowed(StableAudioDiTBlock)\n"
    "assert WrappedFlexAttention.__init__._torchdynamo_disable",
    "an optimizer": "from scipy.optimize import linear_sum_assignment\n"
    "assert 'scipy.optimize._optimize' not in sys.modules\n"
    "assert linear_sum_assignment([[1, 0], [0, 1]])[1].tolist() == [1, 0]\n"
    "from scipy.optimize import minimize_scalar\n"
    "assert abs(minimize_scalar(lambda x: (x - 1) ** 2).x - 1) < 1e-6",
    "transformers": "import transformers\n"
    "text_encoder = transformers.AutoModel.from_pretrained(backbone.folder / 'guide')\n"
    "assert type(text_encoder) is transformers.ClapModel\n"
    "assert isinstance(backbone.text_encoder, transformers.T5EncoderModel)",
}


def test_the_libraries_work_as_ever_beside_a_loaded_model() -> None:
    """Each program in a process of its own, forked where the model has been loaded."""
    run = subprocess.run(
        [sys.executable, "-c", LOADED, *BESIDE.values()], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_an_import_before_ours_is_left_alone() -> None:
    code = (
        "import diffusers.models.transformers as package\n"
        "before = package.StableAudioDiTModel\n"
        "from unheard.backbones.stable_audio.library import StableAudioDiTModel\n"
        "assert StableAudioDiTModel is before\n"
        "import sys, types\n"
        "assert type(sys.modules['diffusers.models.transformers']) is types.ModuleType"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
