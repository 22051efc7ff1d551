"""What the shell offers for an unfinished word; read from manifests, so that Tab answers at once."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout, suppress


def models(incomplete: str) -> list[str]:
    """Models by the shortest name that is theirs alone; behind a model's colon, its variants."""
    from zoo_core import index
    from zoo_core.listing import shortest_names

    plugins = index.plugins()
    names = shortest_names(plugins)
    if ":" not in incomplete:
        return _starting(incomplete, names.values())
    presets = ((plugin.name, preset) for plugin in plugins if plugin.manifest for preset in plugin.manifest.presets)
    return _starting(incomplete, (f"{names[plugin, preset.model]}:{preset.variant}" for plugin, preset in presets))


def downloaded(incomplete: str) -> list[str]:
    """Weights that could be removed."""
    from zoo_core import cache

    return _starting(incomplete, {entry.name for entry in cache.entries() if entry.snapshot})


def installed_plugins(incomplete: str) -> list[str]:
    """Plugins that could be uninstalled."""
    from zoo_core import index

    return _starting(incomplete, (plugin.name for plugin in index.installed_plugins()))


def available_plugins(incomplete: str) -> list[str]:
    """Plugins that could be installed."""
    from zoo_core import index

    return _starting(incomplete, (plugin.name for plugin in index.plugins() if not plugin.installed))


def tasks(incomplete: str) -> list[str]:
    """What the models are for."""
    from zoo_core import index

    manifests = (plugin.manifest for plugin in index.plugins() if plugin.manifest)
    return _starting(incomplete, {model.task for manifest in manifests for model in manifest.models})


def kinds(incomplete: str) -> list[str]:
    """Kinds of components."""
    from zoo_core.records import KINDS

    return _starting(incomplete, KINDS)


def data_sets(incomplete: str) -> list[str]:
    """Data sets known by name."""
    from zoo_core.datasets import DATASETS

    return _starting(incomplete, DATASETS)


def registries(incomplete: str) -> list[str]:
    """Registries that were added."""
    from zoo_core.user_config import read_or_empty

    return _starting(incomplete, (registry.name for registry in read_or_empty().registries))


def is_asked_by_bash() -> bool:
    """Whether this process is to answer bash's Tab key."""
    return os.environ.get("_ZOO_COMPLETE") == "complete_bash"


def answer_bash(answer: Callable[[], object]) -> None:
    """Print what `answer` prints for the words in the environment, as bash wants it.

    Bash takes `glow:mnist` for three words and completes only the last one: for the parser they are put together
    again, and of its answers only what follows the colon is given to bash.
    """
    separator = "\n" if "\n" in os.environ["COMP_WORDS"] else " "
    words: list[str] = []
    for word in os.environ["COMP_WORDS"].split(separator)[: int(os.environ["COMP_CWORD"]) + 1]:
        if words and (word == ":" or words[-1].endswith(":")):
            words[-1] += word
        else:
            words.append(word)
    os.environ.update(COMP_WORDS=separator.join(words), COMP_CWORD=str(len(words) - 1))
    # The parser's answer ends with SystemExit.
    with redirect_stdout(io.StringIO()) as answers, suppress(SystemExit):
        answer()
    known, colon, _ = words[-1].rpartition(":")
    for line in answers.getvalue().splitlines():
        print(line.removeprefix(known + colon))


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
