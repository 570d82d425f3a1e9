"""Numbers of things in words."""

from __future__ import annotations

import pytest

from unheard.common.texts import plural


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 sounds"), (1, "1 sound"), (2, "2 sounds"), (1_234, "1,234 sounds")]
)
def test_one_is_no_plural(number: int, said: str) -> None:
    assert plural(number, "sound") == said
