"""The script in the shape of the published `amg_infer.py` that the documentation shows, and its settings."""

from __future__ import annotations

from pages import ROOT, blocks

PAGE = ROOT / "docs" / "from-the-published-code.md"
SCRIPT = next(token.content for token in blocks(PAGE) if token.type == "fence" and token.info == "python")
PRESET = {
    "guidance": {"kind": "amg", "c1": 4, "c2": 3, "c3": 100, "lambda_min": 0.7, "lambda_max": 0.8},
    "num_inference_steps": 100,
    "guidance_scale": 7,
    "sigma_min": 0.3,
    "sigma_max": 500,
    "sampler": "dpmpp_3m_sde",
}
