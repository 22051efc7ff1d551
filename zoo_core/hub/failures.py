"""What really went wrong when something was fetched, in one line that is true, and what to do about it."""

from __future__ import annotations

import errno
import os

from zoo_core.errors import DiskError, DownloadError, IntegrityError, OfflineError, ZooError
from zoo_core.hub import troubles
from zoo_core.hub.downloading import place
from zoo_core.hub.places import HUB, cache_folder, endpoint
from zoo_core.names import shown_path
from zoo_core.records import Preset
from zoo_core.text import clean
from zoo_core.tokens import LOG_IN

_AT_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG, errno.EIO}
_LATER = "try again later"


def explain(error: BaseException, preset: Preset, host: str) -> ZooError:
    """The error to raise for what fetching this preset's files from a host raised."""
    causes = list(troubles.chain(error))
    where = place(preset)
    for cause in causes:
        if isinstance(cause, troubles.WrongSize):
            found = f"expected {cause.expected}, found {cause.found} at {cause.host}"
            return IntegrityError(f"{where}: {cause.file}: {found}", "")
        if isinstance(cause, troubles.Trouble):
            return DownloadError(f"{where}: {_message(cause)}", _fix(cause, preset))
        if isinstance(cause, OSError) and cause.errno in _AT_THE_DISK:
            path = shown_path(cause.filename or cache_folder())
            return DiskError(f"{where}: {path} cannot be written: {cause.strerror}", _room(cause.errno))
    return _by_the_client(causes, where, host)


def _message(trouble: troubles.Trouble) -> str:
    host = trouble.host
    match trouble:
        case troubles.Refused():
            return _refusal(trouble)
        case troubles.Unreachable():
            return f"{host} cannot be reached: {trouble.reason}"
        case troubles.Broken():
            return f"{host} {trouble.reason}, {trouble.tries} times in a row"
        case troubles.TooSlow():
            return f"{host} sent only {trouble.rate:.0f} bytes a second for {trouble.seconds:.0f} s"
        case troubles.Changed():
            return f"{trouble.file} changed at {host} while it was downloaded"
        case troubles.Failed():
            return f"{host}: {trouble.reason}"
        case troubles.Foreign():
            return f"{host} {trouble.reason}"
    return f"{host} failed"


def _refusal(refused: troubles.Refused) -> str:
    host, status, code = refused.host, refused.status, refused.code
    if status == 401 and "invalid" in refused.message.lower() and refused.token:
        return f"{host} does not accept the token (401)"
    if code == "GatedRepo":
        state = "this account has not been accepted yet" if refused.token else "no token was sent"
        return f"{host} has it, but its owner asks for agreement first, and {state} ({status})"
    if code == "RepoNotFound" or status == 401:
        seen = "the token may not see it" if refused.token else "it is private: no token was sent"
        return f"{host} has no such repository, or {seen} ({status})"
    if code == "RevisionNotFound":
        return f"{host} does not have this revision (any more) ({status})"
    if code == "EntryNotFound":
        return f"{host} lacks one of its files ({status})"
    if status == 403:
        return f"{host} forbids it {'to this token' if refused.token else 'without a token'} (403){_own_words(refused)}"
    if status == 404:
        return f"{host} does not have it (404)"
    if status == 429:
        asked = f", and asks to wait {refused.wait:.0f} s" if refused.wait else ""
        return f"{host} allows no more requests for now (429){asked}"
    return f"{host} answered {status}{_own_words(refused)}"


def _own_words(refused: troubles.Refused) -> str:
    return f": {refused.message}" if refused.message else ""


def _fix(trouble: troubles.Trouble, preset: Preset) -> str:
    if isinstance(trouble, troubles.Unreachable):
        set_one = "HF_ENDPOINT" if endpoint() != HUB else "set HF_ENDPOINT"
        return f"check the network{_proxy()}, or {set_one}"
    if isinstance(trouble, troubles.Foreign):
        return "check HF_ENDPOINT, or what lies between here and there"
    if not isinstance(trouble, troubles.Refused):
        return "try again"
    if trouble.code == "GatedRepo":
        agree = f"agree at {HUB}/{preset.repo}"
        return agree if trouble.token else f"{agree}, then: {LOG_IN}"
    if trouble.status in (401, 403) or trouble.code == "RepoNotFound":
        return _access(trouble)
    if trouble.status == 429 and trouble.wait:
        return f"try again in {trouble.wait:.0f} s"
    return _LATER if trouble.tries > 1 else ""


def _access(refused: troubles.Refused) -> str:
    """What gets one into a repository; a token that is there but was kept from a stranger is said."""
    import huggingface_hub

    if refused.token:
        return "use a token that may read it: hf auth login"
    if huggingface_hub.get_token() and endpoint() != HUB:
        return f"your token is not sent to {refused.host}: if it may see it, add it to trusted-endpoints in {_config()}"
    return LOG_IN


def _proxy() -> str:
    """The variable with a proxy: what cannot be reached then may be the proxy itself. Its value may hold a password."""
    names = (name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy"))
    name = next((name for name in sorted(names) if os.environ[name]), "")
    return f", the proxy in {name}" if name else ""


def _config() -> str:
    from zoo_core import user_config

    return shown_path(user_config.path())


def _room(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "make room, or set HF_HOME to a folder on another disk"
    return "set HF_HOME to a folder that can be written to"


def _by_the_client(causes: list[BaseException], where: str, host: str) -> DownloadError:
    """What the client itself raised: nothing but its own judgement of an answer is left by now."""
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    if "OfflineModeIsEnabled" in kinds:
        return OfflineError(
            f"{where}: not in the cache, and HF_HUB_OFFLINE forbids downloading", "unset HF_HUB_OFFLINE"
        )
    if "TooManyRedirects" in kinds:
        return DownloadError(f"{where}: {host} redirects in circles", _LATER)
    if "FileMetadataError" in kinds:
        return DownloadError(f"{where}: {host} does not answer like a Hub", "check HF_ENDPOINT")
    reason = clean(str(causes[-1]))[:200] or type(causes[-1]).__name__
    return DownloadError(f"{where}: {reason}", "try again")
