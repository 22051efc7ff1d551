"""Why publishing failed, in one line that is true, and what to do about it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from zoo_core.errors import PublishError, ZooError
from zoo_core.hub.answers import without_number
from zoo_core.hub.places import HUB, endpoint, host_of
from zoo_core.hub.troubles import chain
from zoo_core.text import clean
from zoo_core.tokens import LOG_IN, hidden

_AGAIN = "give the same command again: it commits nothing twice"
_LONGEST = 200


@dataclass(slots=True)
class Step:
    """What is being done, and what came of what was done before."""

    doing: str = ""
    done: str = ""


@contextlib.contextmanager
def explain(repo: str, token: str) -> Iterator[Step]:
    """Inside, what the client raises becomes a PublishError about this repository; the token is never shown."""
    step = Step()
    try:
        yield step
    except ZooError:
        raise
    except Exception as error:
        causes = list(chain(error))
        for cause in causes:
            if isinstance(cause, ZooError):
                raise cause from None
        message, fix = _reason(causes, repo, step, token)
        after = f"; {step.done}" if step.done else ""
        raise PublishError(f"{repo}: {message}{after}".replace(token, "***"), fix) from error


def _reason(causes: list[BaseException], repo: str, step: Step, token: str) -> tuple[str, str]:
    for cause in causes:
        response = getattr(cause, "response", None)
        if response is not None and response.status_code >= 400:
            words = clean(hidden(response.headers.get("X-Error-Message", "") or _body(response)))[:_LONGEST]
            return _refused(response.status_code, words, repo, step, token)
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    own_words = without_number(clean(hidden(str(causes[-1]))))[:_LONGEST] or type(causes[-1]).__name__
    if "ConnectError" in kinds or "ConnectTimeout" in kinds:
        return f"{_host()} cannot be reached: {own_words}", "check the network, and HF_ENDPOINT where it is set"
    if "TimeoutException" in kinds:
        return f"{_host()} went silent, {step.doing}", _AGAIN
    if "TransportError" in kinds:
        return f"{_host()} dropped the connection, {step.doing}", _AGAIN
    return f"{own_words}, {step.doing}", _AGAIN


def _refused(status: int, words: str, repo: str, step: Step, token: str) -> tuple[str, str]:
    host, said = _host(), f": {words}" if words else ""
    owner = repo.partition("/")[0]
    match status:
        case 401:
            return f"{host} does not accept the token (401)", LOG_IN
        case 403 if _only_reads(token):
            return f"the token may only read, {step.doing} (403)", f"make one that may write: {HUB}/settings/tokens"
        case 403:
            return (
                f"{host} forbids it to this token, {step.doing} (403){said}",
                f"use a token that may write to {owner}, or another --repo",
            )
        case 404:
            return f"{host} has no such repository, or the token may not see it, {step.doing} (404)", LOG_IN
        case 409:
            return f"{host} says that it is taken, or being changed, {step.doing} (409){said}", "choose another --repo"
        case 412:
            return f"somebody else committed to it meanwhile ({status})", f"look at what is there, then {_AGAIN}"
        case 413:
            return f"{host} finds it too large, {step.doing} (413){said}", ""
        case 429:
            return f"{host} allows no more requests for now (429)", "try again later"
    again = _AGAIN if status >= 500 else ""
    return f"{host} answered {status}, {step.doing}{said}", again


def _only_reads(token: str) -> bool:
    """Whether the Hub says that this is a token for reading; False where it does not say."""
    import huggingface_hub

    try:
        identity = huggingface_hub.HfApi(endpoint=endpoint(), token=token).whoami()
        return bool(identity["auth"]["accessToken"]["role"] == "read")
    except Exception:
        return False


def _body(response: object) -> str:
    """What the body of an answer says is wrong."""
    try:
        document = response.json()  # type: ignore[attr-defined]  # an httpx2.Response, or what stands in for it
        return str(document["error"])
    except Exception:
        return ""


def _host() -> str:
    return host_of(endpoint())
