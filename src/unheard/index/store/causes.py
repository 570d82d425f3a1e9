"""What an object store's error comes down to: LanceDB gives it as pages of Rust, innermost last."""

from __future__ import annotations

import re

KNOWN = (
    (
        r"BadScheme",
        "its address begins with http://, which is not encrypted; set AWS_ALLOW_HTTP=true to allow that",
    ),
    (
        r"169\.254\.169\.254|metadata\.google\.internal",
        "there are no credentials; set those of the store, such as AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY",
    ),
)
"""Causes by what stands somewhere in the text, and what to do."""
SAID = (
    r"<Code>(?P<code>[^<]+)</Code>\s*<Message>(?P<said>[^<]+)</Message>",
    r'ConnectError\("[^"]*", (?P<code>[\d.:\[\]a-f]+), .*?message: "(?P<said>[^"]+)"',
    r'(?P<code>dns error)".*?error: "(?P<said>[^"]+)"',
    r'status: (?P<code>\d{3}), body: Some\("(?P<said>[^"]{1,200})',
    r": (?P<said>[^:\n]{1,80}) \(os error \d+\)",
    r"(?P<said>Unknown scheme|Unable to recognise URL|No object store provider)[^\n]{0,100}",
)
"""How a cause stands in the text, the most telling first."""


def cause(error: BaseException) -> str:
    """In a sentence what went wrong; else the first line of what the library says."""
    text = str(error).strip()
    for pattern, explanation in KNOWN:
        if re.search(pattern, text):
            return explanation
    for pattern in SAID:
        if (found := re.search(pattern, text, re.DOTALL)) is not None:
            code = found.groupdict().get("code")
            said = " ".join(found["said"].split()).rstrip(".")
            return f"{said} ({code})" if code else said
    return next(iter(text.splitlines()), type(error).__name__)[:300]
