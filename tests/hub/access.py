"""Who asks, and what they may: the test Hub's tokens.

A token is known by how it begins: `hf_owner` writes and reads everything, but in the namespace `strangers`;
`hf_reader` reads everything, and a gated repository once it is accepted; `hf_stranger` belongs to somebody else, who
sees no private repository; `hf_narrow` is a fine-grained one that was given no repository. Any other one is refused.
"""

from __future__ import annotations

from tests.hub.responses import Response, error
from tests.hub.store import Repository

ROLES = {"owner": "write", "reader": "read", "stranger": "write", "narrow": "fineGrained"}
USERS = tuple(ROLES)
STRANGERS = "strangers"


def user(authorization: str | None) -> str:
    """The user whose token this is: "" without any, "?" for one that nobody has."""
    if not authorization:
        return ""
    token = authorization.removeprefix("Bearer ")
    return next((name for name in USERS if token.startswith(f"hf_{name}")), "?")


def refused(name: str) -> Response | None:
    """The answer to a token that nobody has."""
    return error(401, "Invalid credentials in Authorization header") if name == "?" else None


def unreadable(name: str, repository: Repository | None) -> Response | None:
    """The answer where a user may not know of a repository; the Hub does not say whether there is one."""
    if wrong := refused(name):
        return wrong
    if repository is not None and not repository.private:
        return None
    if not name:
        return error(401, "Invalid username or password.", "RepoNotFound")
    if repository is None or name == "stranger":
        return error(404, "Repository not found", "RepoNotFound")
    if name == "narrow":
        return error(403, "This token has no access to this repository")
    return None


def gated(name: str, repository: Repository) -> Response | None:
    """The answer where the files of a gated repository may not be downloaded (yet)."""
    if not repository.gated or name == "owner" or name in repository.accepted:
        return None
    if not name:
        return error(401, f"Access to model {repository.name} is restricted. Log in first.", "GatedRepo")
    return error(403, f"Access to model {repository.name} is restricted: ask for access first.", "GatedRepo")


def unwritable(name: str, namespace: str) -> Response | None:
    """The answer where a user may not write to a namespace."""
    if wrong := refused(name):
        return wrong
    if not name:
        return error(401, "Invalid username or password.")
    if name != "owner" or namespace == STRANGERS:
        return error(403, f'You don\'t have the rights to write to the namespace "{namespace}"')
    return None
