"""The records that describe plugins: what one provides, its trained presets, where it is and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

SCHEMA = 1
HOOKSPEC = 1
KINDS = ("losses", "layers", "optimizers", "callbacks")
OURS = "zoo"
"""What the registry that zoo-core brings along is called; no other one can have this name."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a preset: its name within the preset's folder, its size in bytes, its SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Component:
    """A loss, layer, optimizer or callback; `target` is "package.module:Class"."""

    kind: str
    name: str
    target: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A model class, its recipe, and the variant that is meant when none is named."""

    name: str
    target: str
    task: str
    summary: str = ""
    recipe: str = ""
    paper: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command below `zoo <plugin>`."""

    name: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Preset:
    """Trained weights: `folder` is relative to the plugin's package, `repo` and `revision` are the place on the Hub."""

    model: str
    variant: str
    license: str
    parameters: int
    data: str = ""
    files: tuple[File, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    folder: str = ""
    repo: str = ""
    revision: str = ""

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def name(self) -> str:
        """`model:variant`."""
        return f"{self.model}:{self.variant}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that a plugin provides."""

    plugin: str
    components: tuple[Component, ...] = ()
    models: tuple[Model, ...] = ()
    commands: tuple[Command, ...] = ()
    presets: tuple[Preset, ...] = ()
    hookspec: int = HOOKSPEC
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Source:
    """Where a plugin is installed from: a "path" beside the registry, a "wheel" (URL, sha256) or an "index" (URL)."""

    kind: str
    value: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin, installed or known to the registry.

    `broken` is the reason why it cannot be used; `package` the folder of its import package; `metadata` the folder
    of its distribution's metadata; `slow` says that it has no manifest, so that its code had to be run to list it;
    `registry` is the name of the registry that `source` is from, "" for ours.
    """

    name: str
    distribution: str = ""
    version: str = ""
    summary: str = ""
    requires_core: str = ""
    installed: bool = False
    compatible: bool = True
    broken: str | None = None
    manifest: Manifest | None = None
    package: Path | None = None
    module: str = ""
    source: Source | None = None
    slow: bool = False
    metadata: Path | None = None
    registry: str = ""
