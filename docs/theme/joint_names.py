"""For the reference: "a, b: ..." in a docstring speaks of both; griffe would take b for the type of a."""

from __future__ import annotations

import re
from typing import Any

import griffe

_JOINT = re.compile(r"^( +)(\w+(?:, \w+)+)(?=: )", re.M)


class JointNames(griffe.Extension):
    """Joins the names with no-break spaces, at which griffe does not part them."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = _JOINT.sub(
                lambda names: names[1] + names[2].replace(" ", "\N{NO-BREAK SPACE}"), obj.docstring.value
            )
