"""Publishing: one commit to a repository on the Hub by its own client, read back and compared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.addresses import without_password
from zoo_core.card import PICTURE_FILE
from zoo_core.errors import IntegrityError, OfflineError, PublishError
from zoo_core.hub.places import HUB, endpoint, going_online, is_offline
from zoo_core.hub.refusals import explain
from zoo_core.hub.uploads import uploading
from zoo_core.publication import Publication
from zoo_core.published import Published
from zoo_core.records import File
from zoo_core.text import clean
from zoo_core.tokens import LOG_IN

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of publishing: where everything is now, and whether the repository and a commit had to be made.

    `picture` is the one that the Hub has, b"" without any.
    """

    pin: Published
    url: str
    private: bool
    created: bool
    committed: bool
    picture: bytes = b""


@dataclass(frozen=True, slots=True)
class _Remote:
    """A repository as it is: its newest revision, and what identifies the content of each file."""

    revision: str
    private: bool
    contents: dict[str, str]


def check_access() -> str:
    """The token to publish with. Raises OfflineError, and PublishError without a token or where it may not be sent."""
    import huggingface_hub

    if is_offline():
        raise OfflineError("publishing needs the network, which is off", going_online())
    token = huggingface_hub.get_token()
    if not token:
        raise PublishError("publishing needs a token that may write, and there is none", LOG_IN)
    _check_trust()
    return token


def publish(publication: Publication, note: Callable[[str], None] = lambda _: None) -> Outcome:
    """Bring these files into a repository, made if need be, by one commit; none where it has them already.

    What else is there, from before, stays there.

    `note` is told what is worth telling. Raises PublishError for whatever the Hub refuses or the way there breaks, and
    IntegrityError where what can be read back is not what was sent.
    """
    token = check_access()
    repo = publication.repo
    with uploading(token, note) as api, explain(repo, token) as step:
        step.doing = "looking it up"
        remote = _remote(api, repo)
        created = remote is None
        if remote is None:
            step.doing = "creating it"
            api.create_repo(repo, private=publication.private)
            step.done = f"{repo} was created and is empty"
            remote = _remote(api, repo)
            if remote is None:
                raise PublishError(f"{repo} was created but cannot be seen", "try again later")
        _check_purpose(publication, remote)
        revision = remote.revision
        committed = not _has_all(publication, remote)
        if committed:
            step.doing = "uploading to it"
            revision = _commit(api, publication, remote)
        step.done = f"{repo} is published at {revision}"
        step.doing = "reading it back"
        files, picture = _read_back(publication, revision, committed, token)
    pin = Published(repo, revision, files)
    return Outcome(pin, f"{endpoint()}/{repo}", remote.private, created, committed, picture)


def _check_trust() -> None:
    """Raise PublishError where $HF_ENDPOINT is no host that the user trusts with the token."""
    from zoo_core import user_config
    from zoo_core.names import shown_path

    trusted = {HUB, *(address.rstrip("/") for address in user_config.read().trusted_endpoints)}
    if endpoint() not in trusted:
        raise PublishError(
            f"HF_ENDPOINT is {clean(without_password(endpoint()))[:200]}, which is not trusted with your token",
            f"unset HF_ENDPOINT, or add it to trusted-endpoints in {shown_path(user_config.path())}",
        )


def _remote(api: HfApi, repo: str) -> _Remote | None:
    """The repository as it is now; None where there is none, or none that this token may see."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.model_info(repo, files_metadata=True)
    except RepositoryNotFoundError as error:
        if error.response.status_code == 404:
            return None
        raise
    contents = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id or "" for file in info.siblings or ()}
    return _Remote(info.sha or "", bool(info.private), contents)


def _check_purpose(publication: Publication, remote: _Remote) -> None:
    """Raise PublishError unless the repository is as private as asked, and either new or a preset's."""
    if publication.private and not remote.private:
        raise PublishError(f"{publication.repo} is there already, and public", "make it private on the Hub first")
    ours = {".gitattributes", "LICENSE", *(file.name for file in publication.files)}
    others = sorted(remote.contents.keys() - ours)
    if others and "run.json" not in remote.contents:
        shown = ", ".join(clean(name) for name in others[:3])
        raise PublishError(f"{publication.repo} is taken: it holds {shown}, and no preset", "choose another --repo")


def _has_all(publication: Publication, remote: _Remote) -> bool:
    """Whether the repository has these files; any picture will do for one that was drawn just now."""
    return all(
        (publication.is_drawn and file.name == PICTURE_FILE and file.name in remote.contents)
        or remote.contents.get(file.name) in _identities(publication, file)
        for file in publication.files
    )


def _identities(publication: Publication, file: File) -> tuple[str, ...]:
    """What the Hub may call a content: its sha256 where it's kept beside git, git's own name where it's in it."""
    if file.size > 10_000_000:
        return (file.sha256,)
    content = publication.content(file.name)
    data = content.read_bytes() if isinstance(content, Path) else content
    return file.sha256, hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _commit(api: HfApi, publication: Publication, remote: _Remote) -> str:
    """Commit all files upon the revision that was seen, and say the new one."""
    from huggingface_hub import CommitOperationAdd

    operations = [CommitOperationAdd(file.name, publication.content(file.name)) for file in publication.files]
    commit = api.create_commit(
        publication.repo, operations, commit_message=publication.message, parent_commit=remote.revision
    )
    return commit.oid


def _read_back(publication: Publication, revision: str, committed: bool, token: str) -> tuple[tuple[File, ...], bytes]:
    """The files as the Hub has them at a revision, and the picture. Raises IntegrityError for one that was not sent."""
    found, picture = [], b""
    for sent in publication.files:
        is_picture = sent.name == PICTURE_FILE
        got, content = _downloaded(publication.repo, revision, sent, token, keep=is_picture)
        if sent != got and (committed or not (is_picture and publication.is_drawn)):
            raise IntegrityError(
                f"{publication.repo} at {revision[:12]}: {sent.name}: sent {sent.size} bytes with sha256 "
                f"{sent.sha256}, the Hub gives {got.size} with {got.sha256}",
                "don't use this revision; publish it again",
            )
        found.append(got)
        picture += content
    return tuple(found), picture


def _downloaded(repo: str, revision: str, file: File, token: str, keep: bool) -> tuple[File, bytes]:
    """A file as it comes from the Hub, hashed on the way, and its content if it is to be kept.

    No more than about twice its size is read.
    """
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils._headers import build_hf_headers
    from huggingface_hub.utils._http import hf_raise_for_status

    url = hf_hub_url(repo, file.name, revision=revision, endpoint=endpoint())
    headers = {**build_hf_headers(token=token), "Accept-Encoding": "identity"}
    digest, size, kept = hashlib.sha256(), 0, b""
    with get_session().stream("GET", url, headers=headers, follow_redirects=True) as response:
        if response.status_code >= 400:
            response.read()
        hf_raise_for_status(response)
        for piece in response.iter_bytes(_PIECE):
            digest.update(piece)
            size += len(piece)
            kept += piece if keep else b""
            if size > 2 * file.size + _PIECE:
                break
    return File(file.name, size, digest.hexdigest()), kept
