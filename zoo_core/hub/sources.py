"""Where a preset's files can come from: the Hub, and after it the mirrors of the user's settings, in their order."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from zoo_core.files import replacing
from zoo_core.hub.places import HUB, cache_folder, endpoint, host_of, hub_folder, store_folder, wrong_files
from zoo_core.hub.troubles import Failed
from zoo_core.records import File, Preset
from zoo_core.text import clean

if TYPE_CHECKING:
    from zoo_core.hub.traffic import Line, Transfer
    from zoo_core.user_config import Mirror, UserConfig


_SECONDS = 10.0
"""How long a server may be silent, as with the client."""


class Source(Protocol):
    """A place that files come from; `host` is its name in messages, `is_hub` says that it speaks like the Hub.

    `has_revisions`: it can be asked for what it had at one; else only a hash tells that it is the right file.
    """

    host: str
    is_hub: bool
    has_revisions: bool

    def folder(self, preset: Preset) -> Path:
        """Where its files are put."""

    def fetch(self, preset: Preset, file: File, line: Line, transfer: Transfer, anew: bool) -> None:
        """Download one file that is missing; `anew`, also where a copy is known that is wrong."""


class HubSource:
    """The Hub, or whatever speaks like it; its files are put into the client's cache."""

    def __init__(self, address: str, is_trusted: bool) -> None:
        """At an address; only one that is trusted is sent a token."""
        self.address = address
        self.host = host_of(address)
        self.is_hub = self.has_revisions = True
        self._token = None if is_trusted else False

    def folder(self, preset: Preset) -> Path:
        """The client's snapshot."""
        return hub_folder(preset)

    def fetch(self, preset: Preset, file: File, line: Line, transfer: Transfer, anew: bool) -> None:
        """Have the client download it, and link it into its snapshot."""
        import huggingface_hub
        from huggingface_hub.utils.tqdm import silent_tqdm

        from zoo_core.version import __version__

        path = self.folder(preset) / file.name
        if os.path.lexists(path):
            # The client takes what is there for right, whatever its size. Another process may mend it too.
            path.unlink(missing_ok=True)
            anew = True
        huggingface_hub.hf_hub_download(
            preset.repo,
            file.name,
            revision=preset.revision,
            cache_dir=cache_folder(),
            endpoint=self.address,
            token=self._token,
            force_download=anew,
            tqdm_class=cast("Any", silent_tqdm),
            library_name="zoo-core",
            library_version=__version__,
        )

    def revision(self, repo: str, branch: str) -> str:
        """The revision that a branch is at."""
        import huggingface_hub

        api = huggingface_hub.HfApi(endpoint=self.address, token=self._token)
        return api.model_info(repo, revision=branch, timeout=_SECONDS).sha or ""


class FolderSource:
    """Plain files of a web server, `<address>/<owner>/<name>/<revision>/<file>`; they are put into the zoo's store."""

    def __init__(self, address: str) -> None:
        """At an address, never sent a token."""
        self.address = address.rstrip("/")
        self.host = host_of(address).partition("/")[0]
        self.is_hub, self.has_revisions = False, True

    def folder(self, preset: Preset) -> Path:
        """The zoo's own folder for this revision."""
        return store_folder(preset)

    def fetch(self, preset: Preset, file: File, line: Line, transfer: Transfer, anew: bool) -> None:
        """Download it, or take it over from the client's cache; it appears whole or not at all."""
        from urllib.parse import quote

        from zoo_core.hub.traffic import client_on

        if not anew and _take_over(hub_folder(preset), self.folder(preset), file):
            return
        address = f"{self.address}/{quote(f'{preset.repo}/{preset.revision}/{file.name}')}"
        client = client_on(line)
        with (
            _appearing(self.folder(preset) / file.name) as part,
            client.stream("GET", address, timeout=_SECONDS) as answer,
        ):
            for chunk in answer.iter_raw():
                part.write(chunk)


class ModelScopeSource:
    """ModelScope, by its own client, at its newest revision: the hashes decide. Put into the zoo's store."""

    def __init__(self, address: str) -> None:
        """At an address, "" for the client's own."""
        self.address = address
        self.host = host_of(address) or "ModelScope"
        self.is_hub = self.has_revisions = False

    def folder(self, preset: Preset) -> Path:
        """The zoo's own folder for this revision."""
        return store_folder(preset)

    def fetch(self, preset: Preset, file: File, line: Line, transfer: Transfer, anew: bool) -> None:
        """Have its client download it into a temporary folder, from where it is moved."""
        import tempfile
        from importlib import import_module

        client = import_module("modelscope.hub.file_download")
        options = {"endpoint": self.address} if self.address else {}
        target = self.folder(preset)
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", suffix=".part", dir=target) as folder:
            got = self._downloaded(
                partial(client.model_file_download, preset.repo, file.name, local_dir=folder, **options)
            )
            transfer.arrived(got.stat().st_size)
            os.replace(got, target / file.name)

    def _downloaded(self, download: Callable[[], str]) -> Path:
        try:
            return Path(download())
        except Exception as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise Failed(self.host, clean(str(error))[:200] or type(error).__name__) from error


def is_trusted(address: str, config: UserConfig) -> bool:
    """Whether an address may be sent a token: the Hub's own, and those that the user trusts."""
    return address in (HUB, *(trusted.rstrip("/") for trusted in config.trusted_endpoints))


def sources(config: UserConfig) -> Iterator[Source | str]:
    """Each in turn; for a mirror that cannot be used, why."""
    yield HubSource(endpoint(), is_trusted(endpoint(), config))
    for mirror in config.mirrors:
        yield _mirror(mirror, config)


def _mirror(mirror: Mirror, config: UserConfig) -> Source | str:
    if mirror.kind == "hub":
        address = mirror.url.rstrip("/")
        return HubSource(address, is_trusted(address, config))
    if mirror.kind == "folder":
        return FolderSource(mirror.url)
    if find_spec("modelscope") is None:
        return "ModelScope is passed over: its client, modelscope, is not installed"
    return ModelScopeSource(mirror.url)


def _take_over(cached: Path, folder: Path, file: File) -> bool:
    """Copy a file that the client's cache has; False where it has not, or not this one."""
    if wrong_files(cached, [file]):
        return False
    with (cached / file.name).open("rb") as source, _appearing(folder / file.name) as part:
        shutil.copyfileobj(source, part)
    return True


@contextlib.contextmanager
def _appearing(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        yield part
