"""Addresses on the web that the zoo may be told of: https, or http to this very machine, and nothing secret in them."""

from __future__ import annotations

import re

# Neither `#`, after which installers look for options, nor `$` and `{`, for which some put in the environment's values.
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?@!&'()*+,;=%\[\]-]+")
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


def is_web_address(value: str) -> bool:
    """Whether this is an https:// address, or an http:// one of this machine, without a user name or password."""
    from urllib.parse import urlsplit

    if _ADDRESS.fullmatch(value) is None:
        return False
    try:
        parts = urlsplit(value)
        # To ask for the port checks it.
        parts.port  # noqa: B018
    except ValueError:
        return False
    return bool(parts.hostname) and "@" not in parts.netloc and (parts.scheme == "https" or is_loopback(value))


def without_password(address: str) -> str:
    """An address as it may be shown: what stands before an @ in it, a user's name and password, is left out."""
    return re.sub(r"://[^/?#]*@", "://", address)


def is_loopback(address: str) -> bool:
    """Whether an address means this very machine."""
    from urllib.parse import urlsplit

    return urlsplit(address).hostname in _LOOPBACK
