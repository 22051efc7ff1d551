"""The Hub's client as publishing uses it: no Xet past another endpoint, no wait without end, no warnings unseen."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from zoo_core.errors import PublishError
from zoo_core.hub.places import HUB, endpoint
from zoo_core.text import clean

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfApi

_CONNECT_SECONDS = 10.0
_SILENT_SECONDS = 120.0
_LONGEST_WAIT = 60.0
_MOST_CREATIONS = 10


@contextlib.contextmanager
def uploading(token: str, note: Callable[[str], None]) -> Iterator[HfApi]:
    """Inside, the client's API with this token; `note` is told what the Hub warned of.

    Where $HF_ENDPOINT is set, Xet is off: it would send the files past that endpoint, to hosts that nobody named.
    """
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.utils import logging as hub_logging

    verbosity, is_xet_disabled = hub_logging.get_verbosity(), constants.HF_HUB_DISABLE_XET
    constants.HF_HUB_DISABLE_XET = is_xet_disabled or endpoint() != HUB
    hub_logging.set_verbosity(logging.ERROR)
    try:
        with _bounded(), _bars_only_on_terminals(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield huggingface_hub.HfApi(endpoint=endpoint(), token=token)
        # The client's own deprecations are nothing to its user; what it warns of the card is.
        for warning in (each for each in caught if each.category is UserWarning):
            note(clean(str(warning.message))[:300])
    finally:
        hub_logging.set_verbosity(verbosity)
        constants.HF_HUB_DISABLE_XET = is_xet_disabled


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Inside, every request of the client's ends: it waits for ever for a silent server, and as long as one asks to."""
    import httpx2
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    factory = getattr(_http, "_GLOBAL_CLIENT_FACTORY", _http.default_client_factory)
    creations = 0

    def before(request: httpx2.Request) -> None:
        nonlocal creations
        if not request.url.path.endswith("/api/repos/create"):
            return
        creations += 1
        if creations > _MOST_CREATIONS:
            raise PublishError(f"{_host(request)} is busy with another change to this account", "try again later")
        # The client asks again at once, for as long as it is told that another one is being made.
        time.sleep(1.0 if creations > 1 else 0.0)

    def client() -> httpx2.Client:
        made = factory()
        made.timeout = httpx2.Timeout(_SILENT_SECONDS, connect=_CONNECT_SECONDS)
        hooks = made.event_hooks
        made.event_hooks = {
            "request": [*hooks["request"], before],
            "response": [*hooks["response"], _refuse_long_waits],
        }
        return made

    set_client_factory(client)
    try:
        yield
    finally:
        set_client_factory(factory)


def _refuse_long_waits(response: httpx2.Response) -> None:
    """Raise PublishError where a server asks to wait for longer than people do."""
    from huggingface_hub.utils._http import parse_ratelimit_headers

    if response.status_code not in (429, 503):
        return
    limit = parse_ratelimit_headers(response.headers)
    asked = response.headers.get("Retry-After", "")
    seconds = limit.reset_in_seconds if limit and limit.remaining == 0 else int(asked[:9]) if asked.isdecimal() else 0
    if seconds > _LONGEST_WAIT:
        raise PublishError(
            f"{_host(response.request)} allows no more requests for now ({response.status_code})",
            f"try again in {seconds} s",
        )


@contextlib.contextmanager
def _bars_only_on_terminals() -> Iterator[None]:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if are_progress_bars_disabled() or sys.stderr.isatty():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _host(request: httpx2.Request) -> str:
    return clean(request.url.netloc.decode("ascii", "replace"))[:100]
