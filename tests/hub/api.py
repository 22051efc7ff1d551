"""The Hub's endpoints, as far as its client uses them for models: each is a function from a request to an answer."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.hub import access, cards
from tests.hub.responses import Body, Response, document, error
from tests.hub.store import Entry, Repository, Store, is_lfs, pointer

_PAGE = 50
_DATE = "2026-01-01T00:00:00.000Z"


@dataclass(slots=True)
class Request:
    """One request: its path is unquoted, `user` is whose token it has; both addresses are the server's own."""

    method: str
    path: str
    query: dict[str, list[str]]
    user: str
    content: bytes
    address: str
    storage: str
    groups: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The body's JSON document."""
        return json.loads(self.content)

    @property
    def name(self) -> str:
        """The repository that it is about."""
        return self.groups["name"]


Endpoint = Callable[[Store, Request], Response]

_NAME = r"(?P<name>[^/]+/[^/]+)"
_ROUTES: list[tuple[str, re.Pattern[str], Endpoint]] = []


def _route(method: str, pattern: str) -> Callable[[Endpoint], Endpoint]:
    def add(endpoint: Endpoint) -> Endpoint:
        _ROUTES.append((method, re.compile(pattern), endpoint))
        return endpoint

    return add


def answer(store: Store, request: Request) -> Response:
    """The answer to a request; HEAD is answered as GET is."""
    method = "GET" if request.method == "HEAD" else request.method
    for wanted, pattern, endpoint in _ROUTES:
        match = pattern.fullmatch(request.path)
        if wanted == method and match:
            request.groups = match.groupdict()
            return endpoint(store, request)
    return error(404, "Sorry, we can't find the page you are looking for.")


@_route("GET", "/api/whoami-v2")
def _whoami(_: Store, request: Request) -> Response:
    if wrong := access.refused(request.user):
        return wrong
    if not request.user:
        return error(401, "Invalid username or password.")
    token = {"displayName": "a token", "role": access.ROLES[request.user], "createdAt": _DATE}
    identity = {"type": "user", "id": "0" * 24, "name": request.user, "fullname": request.user, "orgs": []}
    return document({**identity, "auth": {"type": "access_token", "accessToken": token}})


@_route("POST", "/api/validate-yaml")
def _validate(_: Store, request: Request) -> Response:
    errors, warnings = cards.findings(request.json["content"])
    found = {"errors": [{"message": text} for text in errors], "warnings": [{"message": text} for text in warnings]}
    return document(found, 400 if errors else 200)


@_route("POST", "/api/repos/create")
def _create(store: Store, request: Request) -> Response:
    wanted = request.json
    namespace = wanted.get("organization") or request.user
    if wrong := access.unwritable(request.user, namespace):
        return wrong
    name = f"{namespace}/{wanted['name']}"
    url = f"{request.address}/{name}"
    if store.get(name):
        return document({"error": "You already created this model repo", "url": url}, 409)
    store.create(name, private=wanted.get("visibility") == "private")
    return document({"url": url, "name": name, "id": "0" * 24})


@_route("POST", rf"/api/models/{_NAME}/preupload/(?P<revision>.+)")
def _preupload(store: Store, request: Request) -> Response:
    repository = _to_write(store, request)
    if isinstance(repository, Response):
        return repository
    known = repository.commits[repository.branches["main"]].files
    return document({"files": [_upload_mode(file, known.get(file["path"])) for file in request.json["files"]]})


def _upload_mode(file: dict[str, Any], known: Entry | None) -> dict[str, Any]:
    lfs = is_lfs(file["path"], file["size"], base64.b64decode(file["sample"]))
    oid = known and (known.sha256 if known.lfs else known.oid)
    mode = "lfs" if lfs else "regular"
    return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, **({"oid": oid} if oid else {})}


@_route("POST", rf"/{_NAME}\.git/info/lfs/objects/batch")
def _batch(store: Store, request: Request) -> Response:
    repository = _to_write(store, request)
    if isinstance(repository, Response):
        return repository
    objects = [_upload(store, request, item) for item in request.json["objects"]]
    return document({"transfer": "basic", "objects": objects})


def _upload(store: Store, request: Request, item: dict[str, Any]) -> dict[str, Any]:
    if (store.objects / item["oid"]).exists():
        return dict(item)
    upload = {"href": f"{request.storage}/lfs-store/{item['oid']}?signature=write"}
    verify = {"href": f"{request.address}/{request.name}.git/info/lfs/verify"}
    return {**item, "authenticated": True, "actions": {"upload": upload, "verify": verify}}


@_route("POST", rf"/{_NAME}\.git/info/lfs/verify")
def _verify(store: Store, request: Request) -> Response:
    path = store.objects / request.json["oid"]
    if not path.exists() or path.stat().st_size != request.json["size"]:
        return error(404, "the object was not uploaded whole")
    return document({})


@_route("POST", rf"/api/models/{_NAME}/commit/(?P<revision>.+)")
def _commit(store: Store, request: Request) -> Response:
    repository = _to_write(store, request)
    if isinstance(repository, Response):
        return repository
    lines = [json.loads(line) for line in request.content.splitlines()]
    header = lines[0]["value"]
    with store.lock:
        if header.get("parentCommit", repository.branches["main"]) != repository.branches["main"]:
            return error(412, "A commit has happened since. Please refresh and try again.")
        try:
            files = dict(_changes(store, lines[1:]))
        except FileNotFoundError as missing:
            return error(400, f"LFS object {missing.filename} was not uploaded")
        revision = store.commit(repository, header["summary"], files)
    url = f"{request.address}/{repository.name}/commit/{revision}"
    return document({"success": True, "commitOid": revision, "commitUrl": url})


def _changes(store: Store, lines: list[dict[str, Any]]) -> Iterator[tuple[str, Entry | None]]:
    for line in lines:
        value = line["value"]
        if line["key"] == "file":
            yield value["path"], store.keep(base64.b64decode(value["content"]))
        elif line["key"] == "lfsFile":
            yield value["path"], store.entry(value["oid"], lfs=True)
        else:
            yield value["path"], None


@_route("GET", rf"/api/models/{_NAME}(/revision/(?P<revision>.+))?")
def _info(store: Store, request: Request) -> Response:
    found = _to_read(store, request)
    if isinstance(found, Response):
        return found
    repository, revision = found
    files = repository.commits[revision].files
    siblings = [
        {"rfilename": path, **(_blob(entry) if "blobs" in request.query else {})} for path, entry in files.items()
    ]
    return document(
        {
            "id": repository.name,
            "modelId": repository.name,
            "author": repository.name.partition("/")[0],
            "sha": revision,
            "lastModified": _DATE,
            "private": repository.private,
            "gated": "manual" if repository.gated else False,
            "tags": [],
            "siblings": siblings,
        }
    )


def _blob(entry: Entry) -> dict[str, Any]:
    lfs = {"lfs": {"sha256": entry.sha256, "size": entry.size, "pointerSize": len(pointer(entry.sha256, entry.size))}}
    return {"size": entry.size, "blobId": entry.oid, **(lfs if entry.lfs else {})}


@_route("GET", rf"/api/models/{_NAME}/refs")
def _refs(store: Store, request: Request) -> Response:
    found = _to_read(store, request)
    if isinstance(found, Response):
        return found
    branches = [
        {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit}
        for name, commit in found[0].branches.items()
    ]
    return document({"branches": branches, "tags": [], "converts": []})


@_route("GET", rf"/api/models/{_NAME}/commits/(?P<revision>.+)")
def _commits(store: Store, request: Request) -> Response:
    found = _to_read(store, request)
    if isinstance(found, Response):
        return found
    repository, revision = found
    commits = []
    while revision:
        commit = repository.commits[revision]
        commits.append({"id": revision, "title": commit.message, "message": "", "authors": [], "date": _DATE})
        revision = commit.parent or ""
    return document(commits)


@_route("GET", rf"/api/models/{_NAME}/tree/(?P<revision>[^/]+)")
def _tree(store: Store, request: Request) -> Response:
    found = _to_read(store, request)
    if isinstance(found, Response):
        return found
    repository, revision = found
    start = int(request.query.get("cursor", ["0"])[0])
    listed = [_listed(path, entry) for path, entry in repository.commits[revision].files.items()]
    headers = {}
    if len(listed) > start + _PAGE:
        page = f"{request.address}{request.path}?recursive=true&expand=false&cursor={start + _PAGE}"
        headers["Link"] = f'<{page}>; rel="next"'
    return document(listed[start : start + _PAGE], **headers)


def _listed(path: str, entry: Entry) -> dict[str, Any]:
    lfs = {"lfs": {"oid": entry.sha256, "size": entry.size, "pointerSize": len(pointer(entry.sha256, entry.size))}}
    return {"type": "file", "path": path, "size": entry.size, "oid": entry.oid, **(lfs if entry.lfs else {})}


@_route("POST", rf"/api/models/{_NAME}/paths-info/(?P<revision>.+)")
def _paths_info(store: Store, request: Request) -> Response:
    found = _to_read(store, request)
    if isinstance(found, Response):
        return found
    repository, revision = found
    files = repository.commits[revision].files
    wanted = parse_qs(request.content.decode()).get("paths", [])
    return document([_listed(path, files[path]) for path in wanted if path in files])


@_route("GET", rf"/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def _resolve(store: Store, request: Request) -> Response:
    found = _to_read(store, request)
    if isinstance(found, Response):
        return found
    repository, revision = found
    if wrong := access.gated(request.user, repository):
        return wrong
    entry = repository.commits[revision].files.get(request.groups["path"])
    if entry is None:
        missing = error(404, "Entry not found", "EntryNotFound")
        missing.headers["X-Repo-Commit"] = revision
        return missing
    headers = {"X-Repo-Commit": revision, "ETag": f'"{entry.sha256 if entry.lfs else entry.oid}"'}
    if not entry.lfs:
        headers["Content-Type"] = "text/plain"
        return Response(200, headers, Body(store.objects / entry.sha256), ranges=True)
    headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(entry.size)}
    location = f"{request.storage}/lfs-store/{entry.sha256}?signature=read"
    return Response(302, {**headers, "Location": location})


@_route("GET", "/lfs-store/(?P<oid>[0-9a-f]{64})")
def _stored(store: Store, request: Request) -> Response:
    path = store.objects / request.groups["oid"]
    if "signature" not in request.query or not path.exists():
        return error(403, "Access denied")
    return Response(200, {"ETag": f'"{path.name}"'}, Body(path), ranges=True)


@_route("GET", "/plain/(?P<path>.+)")
def _plain(store: Store, request: Request) -> Response:
    path = (store.plain / request.groups["path"]).resolve()
    if not path.is_file() or not path.is_relative_to(store.plain.resolve()):
        return error(404, "not found")
    return Response(200, {"Content-Type": "application/octet-stream"}, Body(path), ranges=True)


def _to_read(store: Store, request: Request) -> tuple[Repository, str] | Response:
    repository = store.get(request.name)
    wrong = access.unreadable(request.user, repository)
    if wrong or repository is None:
        return wrong or error(404, "Repository not found", "RepoNotFound")
    revision = repository.resolve(request.groups.get("revision") or "main")
    return (repository, revision) if revision else error(404, "Invalid rev id", "RevisionNotFound")


def _to_write(store: Store, request: Request) -> Repository | Response:
    repository = store.get(request.name)
    wrong = access.unreadable(request.user, repository) or access.unwritable(
        request.user, request.name.partition("/")[0]
    )
    return wrong or repository or error(404, "Repository not found", "RepoNotFound")
