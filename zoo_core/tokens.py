"""Tokens of the Hub in text that is about to be shown: a server may repeat what it was sent, and so may a traceback."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator

LOG_IN = "hf auth login, or set HF_TOKEN"
"""How to have a token."""

_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}")
_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_SHORTEST = 8
_HIDDEN = "***"


def hidden(text: str) -> str:
    """The text without the token that is set here, and without any other that looks like one of the Hub's."""
    for token in _known():
        text = text.replace(token, _HIDDEN)
    return _TOKEN.sub(_HIDDEN, text)


def _known() -> Iterator[str]:
    found = [os.environ.get(name, "").strip() for name in _VARIABLES]
    # What never loaded the client has not read the token's file either.
    if client := sys.modules.get("huggingface_hub"):
        found.append(client.get_token() or "")
    return (token for token in found if len(token) >= _SHORTEST)
