"""What it takes to render sounds: tests that do are skipped where it is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
SOURCES = {
    "tinysoundfont (pip install --no-deps tinysoundfont==0.3.7)": importlib.util.find_spec("tinysoundfont"),
    f"{SOUND_FONT} (apt-get install fluid-soundfont-gm)": SOUND_FONT.is_file(),
}
MISSING = " and ".join(source for source, found in SOURCES.items() if not found)
needs_renderer = pytest.mark.skipif(bool(MISSING), reason=f"no sound can be rendered without {MISSING}")
