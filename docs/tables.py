"""Keeps the tables of the docs true: they are made of registry.toml and of what the presets' run.json recorded.

`python docs/tables.py` rewrites what stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->` in the pages below;
with `--check` it changes nothing, and fails where a page is not up to date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from zoo_core import host, registry_file
from zoo_core.presets import PresetFolder
from zoo_core.recipes import STANDARD_ERROR, Recipe, make_recipe
from zoo_core.records import KINDS, Model, Plugin, Preset
from zoo_core.text import human_size

ROOT = Path(__file__).resolve().parents[1]

Cells = Sequence[str]
Words = Mapping[str, str]

# The words that replace ours in a page's tables.
ENGLISH: Words = {}
CHINESE: Words = {
    "preset": "预训练权重",
    "data": "数据",
    "measured on the test split": "测试集指标",
    "baseline": "基线",
    "parameters": "参数量",
    "size": "大小",
    "training": "训练",
    "bits/dim": "bits/dim",
    "per-pixel histogram": "逐像素直方图",
    "untrained": "未训练",
    "epochs": "轮",
    "minutes": "分钟",
    "hours": "小时",
    "cores": "核",
    "no weights yet": "暂无权重",
    ", ": "，",
}
# Page -> its words, and the plugin that it is about; "" for all.
PAGES: Mapping[str, tuple[Words, str]] = {
    "README.md": (ENGLISH, ""),
    "README.zh-CN.md": (CHINESE, ""),
    "docs/components.md": (ENGLISH, ""),
    "docs/glow.md": (ENGLISH, "glow"),
    "docs/metric-learning.md": (ENGLISH, "metric-learning"),
    "docs/word2vec.md": (ENGLISH, "word2vec"),
    "plugins/glow/README.md": (ENGLISH, "glow"),
    "plugins/metric-learning/README.md": (ENGLISH, "metric-learning"),
    "plugins/word2vec/README.md": (ENGLISH, "word2vec"),
}

# The plugins whose parts docs/components.md is about.
_PARTS = ("addons", "metric-learning")

_BLOCK = re.compile(r"(<!-- (?P<name>[a-z]+):begin -->\n).*?(<!-- (?P=name):end -->)", re.DOTALL)
# What metrics and baselines are called among people; others keep their names.
_LABELS = {"bits_per_dim": "bits/dim", "per_pixel_histogram": "per-pixel histogram", "untrained": "untrained"}


@dataclass(frozen=True, slots=True)
class Row:
    """A model with one of its presets, and what the preset's run.json says; both are None before it is trained."""

    plugin: Plugin
    model: Model
    preset: Preset | None
    run: Mapping[str, Any] | None


def main(arguments: Sequence[str]) -> int:
    """Rewrite the pages, or with `--check` name those that are not up to date."""
    changed = stale()
    if "--check" in arguments:
        for page in changed:
            print(f"{page}: its tables are not up to date (python docs/tables.py)", file=sys.stderr)
        return 1 if changed else 0
    for page, text in changed.items():
        (ROOT / page).write_text(text, encoding="utf-8")
        print(f"{page} is written")
    return 0


def stale() -> dict[str, str]:
    """The pages whose tables are not up to date, with the text that they should have."""
    rows = list(_rows())
    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
    wanted = {page: refreshed(text, _about(rows, PAGES[page][1]), PAGES[page][0]) for page, text in texts.items()}
    return {page: text for page, text in wanted.items() if text != texts[page]}


def _about(rows: Sequence[Row], plugin: str) -> list[Row]:
    return [row for row in rows if plugin in ("", row.plugin.name)]


def refreshed(text: str, rows: Sequence[Row], words: Words) -> str:
    """A page's text with every generated block made anew."""

    def block(match: re.Match[str]) -> str:
        if match["name"] not in _MAKERS:
            return match[0]  # what a benchmark has written there
        lines = "\n".join(_MAKERS[match["name"]](rows, words))
        return f"{match[1]}{lines}\n{match[3]}"

    return _BLOCK.sub(block, text)


def _components(rows: Sequence[Row], words: Words) -> Iterator[str]:
    """Every registered component of the plugins that bring parts for any model."""
    plugins = [plugin for plugin in _plugins() if plugin.name in _PARTS and plugin.manifest]
    cells = (
        (component.kind, f"`{plugin.name}/{component.name}`", component.summary)
        for kind in KINDS
        for plugin in plugins
        for component in (plugin.manifest.components if plugin.manifest else ())
        if component.kind == kind
    )
    yield from _table(("kind", "name", "what it is"), cells, words)


def _plugins() -> Sequence[Plugin]:
    return registry_file.read(ROOT / registry_file.FILE_NAME)


def _rows() -> Iterator[Row]:
    for plugin in _plugins():
        manifest = plugin.manifest
        for model in manifest.models if manifest else ():
            presets = [preset for preset in manifest.presets if preset.model == model.name] if manifest else []
            for preset in sorted(presets, key=lambda preset: (preset.variant != model.default, preset.variant)):
                yield Row(plugin, model, preset, _run(plugin, preset))
            if not presets:
                yield Row(plugin, model, None, None)


def _run(plugin: Plugin, preset: Preset) -> dict[str, Any]:
    assert plugin.source is not None
    (package,) = (file.parent for file in (ROOT / plugin.source.value).glob("*/zoo-plugin.toml"))
    return PresetFolder(package / preset.folder).run()


def _models(rows: Sequence[Row], words: Words) -> Iterator[str]:
    """What there is: one line a preset, and one for each model that is not trained yet."""
    head = ("preset", "data", "measured on the test split", "baseline", "parameters", "size", "training")
    yield from _table(head, (_model_cells(row, words) for row in rows), words)


def _model_cells(row: Row, words: Words) -> Cells:
    if row.preset is None or row.run is None:
        return (f"`{row.model.name}`", "", words.get("no weights yet", "no weights yet"), "", "", "", "")
    return (
        f"`{row.preset.name}`",
        row.preset.data,
        _measured(row.run, words),
        _baseline(row.run, words),
        f"{row.preset.parameters:,}",
        human_size(row.preset.size),
        _training(row.run, words),
    )


def _measured(run: Mapping[str, Any], words: Words) -> str:
    metrics = (run.get("evaluation") or {}).get("metrics") or {}
    name = next(iter(metrics), None)
    if name is None:
        return ""
    error = metrics.get(name + STANDARD_ERROR)
    return f"{metrics[name]:.3f}{f' ± {error:.3f}' if error else ''} {_label(name, words)}"


def _baseline(run: Mapping[str, Any], words: Words) -> str:
    evaluation = run.get("evaluation") or {}
    metric = next(iter(evaluation.get("metrics") or {}), "")
    baselines = evaluation.get("baselines") or {}
    return ", ".join(
        f"{value:.3f} ({_label(name.removesuffix(f'_{metric}'), words)})"
        for name, value in baselines.items()
        if name.endswith(f"_{metric}")
    )


def _label(name: str, words: Words) -> str:
    label = _LABELS.get(name, name.replace("_", " "))
    return words.get(label, label)


def _training(run: Mapping[str, Any], words: Words) -> str:
    minutes = run["seconds"] / 60
    number, unit = (minutes, "minutes") if minutes < 120 else (minutes / 60, "hours")
    epochs = f"{run['epochs']} {words.get('epochs', 'epochs')}"
    return words.get(", ", ", ").join([epochs, f"{number:.0f} {words.get(unit, unit)}", _hardware(run, words)])


def _hardware(run: Mapping[str, Any], words: Words) -> str:
    hardware = run["hardware"]
    devices = [device for device in hardware["devices"] if not device.startswith("cpu")]
    processor = f"{hardware['processor']} ({hardware['cores']} {words.get('cores', 'cores')})"
    return words.get(", ", ", ").join([processor, *devices])


def _results(rows: Sequence[Row], words: Words) -> Iterator[str]:
    """The measurements in full: every metric, on how many examples, under which seed."""
    head = ("preset", "metric", "test split", "standard error", "examples", "seed", "baseline")
    yield from _table(head, (cells for row in rows for cells in _result_cells(row, words)), words)


def _result_cells(row: Row, words: Words) -> Iterator[Cells]:
    evaluation = (row.run or {}).get("evaluation")
    if row.preset is None or not evaluation:
        yield (f"`{row.preset.name if row.preset else row.model.name}`", "not measured yet", "", "", "", "", "")
        return
    metrics, baselines = evaluation["metrics"], evaluation["baselines"]
    for name, value in metrics.items():
        if name.endswith(STANDARD_ERROR):
            continue
        beside = [
            f"{baselines[each]:.4f} ({_label(each.removesuffix(f'_{name}'), words)})"
            for each in baselines
            if each.endswith(f"_{name}")
        ]
        shown = f"{value:.4f}" if value % 1 else f"{value:,.0f}"
        error = metrics.get(name + STANDARD_ERROR)
        counted = (f"{evaluation['examples']:,}", str(evaluation["seed"]))
        yield (
            f"`{row.preset.name}`",
            _label(name, words),
            shown,
            f"{error:.4f}" if error else "",
            *counted,
            ", ".join(beside),
        )


def _recipes(rows: Sequence[Row], _: Words) -> Iterator[str]:
    """The command that trained each preset, and what it took."""
    trained = [row for row in rows if row.preset is not None and row.run is not None]
    if not trained:
        yield "No preset is bundled yet."
        return
    yield "```console"
    for row in trained:
        assert row.run is not None
        yield f"{_command(row.model, row.run)}    # {_training(row.run, ENGLISH)}"
    yield "```"


def _command(model: Model, run: Mapping[str, Any]) -> str:
    """`zoo train` with the settings that differ from what the recipe would take by itself."""
    recipe: type[Recipe] = host.resolve(run["recipe"])
    usual = make_recipe(recipe, run["data"]["name"], {})
    chosen = {name: value for name, value in run["settings"].items() if name != "data"}
    known = {field.name for field in fields(usual)}
    settings = [
        f"--set {name}={_written(value)}"
        for name, value in chosen.items()
        if name in known and _written(value) != _written(getattr(usual, name))
    ]
    initial = (run.get("initial") or {}).get("name")
    # Of a folder its last part is recorded.
    start = [f"--init {initial if ':' in initial else f'./runs/{initial}'}"] if initial else []
    return " ".join([f"zoo train {model.name} --data {run['data']['name']}", *settings, *start])


def _settings(rows: Sequence[Row], words: Words) -> Iterator[str]:
    """The recipes' settings and their defaults, one column a model; then what is different for some data."""
    recipes: dict[str, type[Recipe]] = {row.model.name: host.resolve(row.model.recipe) for row in rows}
    defaults = {name: {field.name: field.default for field in fields(recipe)} for name, recipe in recipes.items()}
    settings = list(dict.fromkeys(setting for values in defaults.values() for setting in values))
    cells = ([f"`{name}`", *(_written(values.get(name, "")) for values in defaults.values())] for name in settings)
    yield from _table(("setting", *recipes), cells, words)
    for name, recipe in recipes.items():
        for data, changed in recipe.variants.items():
            told = ", ".join(f"`{setting}={_written(value)}`" for setting, value in changed.items())
            yield f"\nOn `{data}`, {name} takes {told}."


def _written(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(_written, value))
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _table(head: Cells, rows: Iterable[Cells], words: Words) -> Iterator[str]:
    yield _line([words.get(name, name) for name in head])
    yield _line(["---"] * len(head))
    for cells in rows:
        padded = [*cells, *[""] * (len(head) - len(cells))]
        yield _line([cell or "–" for cell in padded])


def _line(cells: Cells) -> str:
    return f"| {' | '.join(cells)} |"


_MAKERS = {
    "components": _components,
    "models": _models,
    "results": _results,
    "recipes": _recipes,
    "settings": _settings,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
