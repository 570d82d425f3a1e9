"""The two texts that ACE-Step's text encoder reads of a song: its description and its lyrics."""

from __future__ import annotations

from dataclasses import dataclass

INSTRUCTION = "Fill the audio semantic mask based on the given conditions:"
"""What the model was trained to be told where it makes music from a text."""
UNKNOWN = "N/A"


@dataclass(frozen=True)
class Song:
    """What is told of a song besides the prompt and the duration, as `AceStepPipeline` takes it.

    Attributes:
        lyrics: what is sung; "" for an instrumental.
        language: of the lyrics, two letters.
        bpm: beats a minute; None for unknown.
        keyscale: such as "C major"; None for unknown.
        timesignature: beats a bar; None for unknown.
        instruction: what the model shall do.
    """

    lyrics: str = ""
    language: str = "en"
    bpm: int | None = None
    keyscale: str | None = None
    timesignature: str | None = None
    instruction: str = INSTRUCTION

    def description(self, prompt: str, duration: float) -> str:
        """The instruction, the prompt as caption, and the metadata; of the duration, whole seconds."""
        seconds = int(duration) if duration > 0 else 30
        told = {
            "bpm": str(self.bpm) if self.bpm is not None and self.bpm > 0 else UNKNOWN,
            "timesignature": _told(self.timesignature),
            "keyscale": _told(self.keyscale),
            "duration": f"{seconds} seconds",
        }
        metadata = "".join(f"- {name}: {value}\n" for name, value in told.items())
        instruction = self.instruction if self.instruction.endswith(":") else f"{self.instruction}:"
        return f"# Instruction\n{instruction}\n\n# Caption\n{prompt}\n\n# Metas\n{metadata}<|endoftext|>\n"

    def words(self) -> str:
        """The lyrics with their language."""
        return f"# Languages\n{self.language}\n\n# Lyric\n{self.lyrics}<|endoftext|>"


def _told(value: str | None) -> str:
    return value if value is not None and value.strip() else UNKNOWN
