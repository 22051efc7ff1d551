"""What could be installed: a wheel file or a project's folder, described without running anything of it."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import manifest as manifests
from zoo_core import toml_files
from zoo_core.distributions import GROUP, core_fits, core_range, normalised
from zoo_core.errors import InstallError, ManifestError
from zoo_core.records import Manifest
from zoo_core.text import clean

if TYPE_CHECKING:
    from zipfile import ZipFile

_LONGEST_REASON = 200
# What reading a damaged zip file may raise besides its own errors.
_DAMAGE = (OSError, EOFError, KeyError, NotImplementedError, RuntimeError, ValueError)
_METADATA_FILE = re.compile(r"[^/]+\.dist-info/METADATA")
# ZOO_WHEELS is ours; the others mean to pip and uv what they mean here, as far as they name folders.
_FOLDER_VARIABLES = {"ZOO_WHEELS": os.pathsep, "PIP_FIND_LINKS": r"\s+", "UV_FIND_LINKS": r"[\s,]+"}


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution in a wheel file or a project's folder, with the plugins that it offers: name -> module."""

    path: Path
    distribution: str
    version: str
    plugins: dict[str, str]
    requires: tuple[str, ...]
    summary: str = ""

    @property
    def requires_core(self) -> str:
        """The range of zoo-core versions that it works with."""
        return next((found for found in map(core_range, self.requires) if found is not None), "")

    @property
    def needed(self) -> list[str]:
        """The distributions that it needs here, extras aside; raises InstallError for a malformed requirement."""
        from packaging.requirements import Requirement

        try:
            requirements = [Requirement(line) for line in self.requires]
            # A marker may be well-formed, and yet compare what cannot be compared.
            return [
                normalised(requirement.name)
                for requirement in requirements
                if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            ]
        except (ValueError, KeyError) as error:
            raise InstallError(f"{self.path}: a malformed requirement: {clean(str(error))[:_LONGEST_REASON]}") from None

    @property
    def fits(self) -> bool:
        """Whether it works with this core."""
        try:
            return core_fits(self.requires_core)
        except ValueError:
            return False


def read(path: Path) -> Package:
    """The package in a wheel file or a project's folder; raises InstallError where there is none, or no plugin."""
    if not path.exists():
        raise InstallError(f"{path} does not exist")
    package = _read_project(path) if path.is_dir() else read_wheel(path)
    if not package.plugins:
        raise InstallError(f"{path} is no plugin: it has no entry point in the group {GROUP}")
    return package


def read_wheel(path: Path) -> Package:
    """The package in a wheel file, by its metadata; raises InstallError."""
    from importlib.metadata import PathDistribution
    from zipfile import BadZipFile, ZipFile
    from zipfile import Path as ZipPath

    from packaging.version import Version

    try:
        with ZipFile(path) as wheel:
            folder = next(name for name in wheel.namelist() if _METADATA_FILE.fullmatch(name)).rpartition("/")[0]
            _check_sizes(wheel, folder)
            metadata = PathDistribution(ZipPath(wheel, f"{folder}/"))
            plugins = {point.name: point.value for point in metadata.entry_points if point.group == GROUP}
            version = str(Version(metadata.version))
            header = metadata.metadata
            summary = clean(header["Summary"]) if "Summary" in header else ""
            return _shown(Package(path, metadata.name, version, plugins, tuple(metadata.requires or ()), summary))
    except (*_DAMAGE, BadZipFile, zlib.error, TypeError, StopIteration) as error:
        raise InstallError(
            f"{path} is no wheel that can be read: {clean(str(error))[:_LONGEST_REASON] or 'no metadata'}"
        ) from None


def _shown(package: Package) -> Package:
    """The package, all of whose names can be shown as they are; raises ValueError for any other."""
    for word in (package.distribution, package.version, *package.plugins, *package.plugins.values()):
        if not isinstance(word, str) or clean(word) != word:
            raise ValueError(f"'{clean(str(word))[:100]}' is no name")
    return package


def _check_sizes(wheel: ZipFile, folder: str) -> None:
    """Raise ValueError where what is to be read would unpack to more than a megabyte: zeros pack a thousandfold."""
    for member in wheel.infolist():
        if member.filename.startswith(f"{folder}/") and member.file_size > toml_files.LARGEST_FILE:
            raise ValueError(f"{member.filename} unpacks to {member.file_size} bytes")


def read_manifest(package: Package, plugin: str) -> Manifest:
    """The manifest that a wheel brings for one of its plugins; raises InstallError without one, and ManifestError."""
    from zipfile import BadZipFile, ZipFile

    name = f"{_top(package, plugin)}/{manifests.FILE_NAME}"
    try:
        with ZipFile(package.path) as wheel, wheel.open(name) as file:
            content = file.read(toml_files.LARGEST_FILE + 1)
    except (*_DAMAGE, BadZipFile, zlib.error) as error:
        raise InstallError(
            f"{package.path}: {name} is not in it or cannot be read: {clean(str(error))[:_LONGEST_REASON]}",
            "zoo manifest update, see that it is package data, then build the wheel again",
        ) from None
    where = f"{package.path}: {name}"
    if len(content) > toml_files.LARGEST_FILE:
        raise ManifestError(f"{clean(where)}: larger than {toml_files.LARGEST_FILE} bytes")
    return manifests.from_table(toml_files.decode(content, where), where)


def import_folder(package: Package, plugin: str) -> Path:
    """The folder of the import package that holds a plugin of a project; raises InstallError where it is not found."""
    top = _top(package, plugin)
    for folder in (package.path / top, package.path / "src" / top):
        if folder.is_dir():
            return folder
    raise InstallError(f"{package.path}: the package '{top}' of plugin '{clean(plugin)}' is neither here nor in src/")


def _top(package: Package, plugin: str) -> str:
    return package.plugins[plugin].partition(":")[0].partition(".")[0]


def find_wheel(distribution: str, version: str, sha256: str = "") -> Package | None:
    """The wheel of a distribution in the folders that the environment names; None where they have none.

    The registry's version goes before the newest that fits this core. With a sha256 only that version's file will do:
    raises InstallError when its content is another.
    """
    from packaging.version import Version

    wheels = [wheel for wheel in _wheels(distribution) if wheel.version == version or (not sha256 and wheel.fits)]
    if not wheels:
        return None
    best = max(wheels, key=lambda wheel: (wheel.version == version, Version(wheel.version)))
    if sha256:
        _check_hash(best.path, sha256)
    return best


def check_wheel_name(address: str, distribution: str, version: str) -> None:
    """Raise InstallError unless an address is of a wheel of that distribution in that version, by its file's name."""
    from urllib.parse import unquote, urlsplit

    from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    file_name = unquote(urlsplit(address).path).rpartition("/")[2]
    try:
        name, found, _, _ = parse_wheel_filename(file_name)
        fits = (name, found) == (normalised(distribution), Version(version))
    except (InvalidWheelFilename, InvalidVersion):
        fits = False
    if not fits:
        raise InstallError(
            f"{address} is no wheel of {distribution} {version} by its name", "tell the registry's keeper"
        )


def wheel_folders() -> list[Path]:
    """The existing folders in ZOO_WHEELS, PIP_FIND_LINKS and UV_FIND_LINKS."""
    names = (
        name.removeprefix("file://")
        for variable, separator in _FOLDER_VARIABLES.items()
        for name in re.split(separator, os.environ.get(variable, ""))
    )
    return [folder for name in names if name and (folder := Path(name).expanduser()).is_dir()]


def _wheels(distribution: str) -> Iterator[Package]:
    from packaging.tags import sys_tags
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    tags = frozenset(sys_tags())
    for path in (path for folder in wheel_folders() for path in sorted(folder.glob("*.whl"))):
        try:
            name, _, _, needed = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if name == normalised(distribution) and needed & tags:
            yield read_wheel(path)


def _check_hash(path: Path, sha256: str) -> None:
    from zoo_core.files import sha256_of_file

    found = sha256_of_file(path)
    if found != sha256:
        raise InstallError(f"{path}: sha256 is {found}, the registry says {sha256}", "get the file again")


def _read_project(folder: Path) -> Package:
    try:
        project: Mapping[str, Any] = toml_files.read(folder / "pyproject.toml")["project"]
        return _shown(
            Package(
                folder,
                project["name"],
                project.get("version", ""),
                dict(project.get("entry-points", {}).get(GROUP, {})),
                tuple(project.get("dependencies", ())),
                clean(str(project.get("description", ""))),
            )
        )
    except (ManifestError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InstallError(f"{folder} is no Python project: {clean(str(error))[:_LONGEST_REASON]}") from None
