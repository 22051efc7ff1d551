"""Names that look like another: whoever wants to be taken for `glow` calls a plugin `g1ow`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zoo_core.distributions import normalised
from zoo_core.records import Plugin

_SAME_LOOK = str.maketrans({"0": "o", "1": "l", "i": "l", "-": "", "_": "", ".": ""})


def skeleton(name: str) -> str:
    """What a name looks like at a glance; two names with the same one are taken for each other."""
    return name.lower().translate(_SAME_LOOK).replace("rn", "m").replace("vv", "w")


def warnings(plugin: Plugin, others: Iterable[Plugin]) -> tuple[str, ...]:
    """What to know before a plugin is trusted: its names, or its models', that look like other plugins'."""
    known = {skeleton(name): (name, other) for other in others for name in _names(other)}
    return tuple(
        f"'{name}' looks like '{known[skeleton(name)][0]}' of the plugin '{known[skeleton(name)][1].name}'"
        for name in _names(plugin)
        if skeleton(name) in known and not _is_same(name, known[skeleton(name)][0])
    )


def _names(plugin: Plugin) -> Iterator[str]:
    yield from dict.fromkeys((plugin.name, plugin.distribution))
    if plugin.manifest:
        yield from (model.name for model in plugin.manifest.models if model.name != plugin.name)


def _is_same(name: str, other: str) -> bool:
    """Whether nobody could tell the names apart: the zoo's own rules meet two plugins of one name."""
    return normalised(name) == normalised(other)
