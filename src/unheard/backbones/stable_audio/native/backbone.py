"""Stable Audio from a checkpoint of stable-audio-tools and the text encoder that its configuration names."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import torch

from unheard.backbones import hub, native_layout
from unheard.backbones.contained import AS_DATA, check_contained, reason
from unheard.backbones.fingerprint import fingerprint_of_files, fingerprint_of_folder
from unheard.backbones.lora import LoRA
from unheard.backbones.stable_audio.adapters import merge
from unheard.backbones.stable_audio.backbone import StableAudioBackbone, quiet_loading
from unheard.backbones.stable_audio.library import AutoTokenizer, PreTrainedTokenizerBase, T5EncoderModel
from unheard.backbones.stable_audio.native.checkpoint import read_checkpoint
from unheard.backbones.stable_audio.native.configuration import Configuration, read_configuration
from unheard.backbones.stable_audio.native.modules import build_modules, fill
from unheard.errors import ModelError
