"""What a model cannot read in a prompt, or in another wording of it, said before any work."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from unheard.backbones import hub
from unheard.backbones.base import Backbone
from unheard.generation.request import Request
from unheard.guidance import Detour

WORDS_NAMED = 5  # unknown words that a warning names


def warn_of_unknown_words(backbone: Backbone, name: str, request: Request) -> None:
    """Warn in one line of what the model cannot read in the prompts; asked before any work."""
    wordings = request.guidance.other_wordings if isinstance(request.guidance, Detour) else []
    told = tell_unknown_words(backbone, name, [*request.prompts, request.negative_prompt or "", *wordings])
    if told is not None:
        warnings.warn(told, stacklevel=4)


def tell_unknown_words(backbone: Backbone, name: str, texts: Iterable[str]) -> str | None:
    """One line on what a model cannot read in some texts; None where it reads them all."""
    words = dict.fromkeys(word for text in dict.fromkeys(texts) for word in backbone.unknown_words(text))
    if not words:
        return None
    named = ", ".join(f'"{word}"{_in_small_letters(backbone, word)}' for word in [*words][:WORDS_NAMED])
    more = f" and {len(words) - WORDS_NAMED} more" if len(words) > WORDS_NAMED else ""
    known = any(each.name == name and each.plays for each in hub.KNOWN_MODELS)
    see = f"; `unheard models {name}` lists what it knows" if known else ""
    return (
        f"{name} does not know the word{'s' if len(words) > 1 else ''} {named}{more}, and spells "
        f"{'them' if len(words) > 1 else 'it'} in letters: expect another sound{see}"
    )


def _in_small_letters(backbone: Backbone, word: str) -> str:
    small = word.lower()
    return f' (it knows "{small}")' if small != word and not backbone.unknown_words(small) else ""
