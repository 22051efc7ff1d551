"""The card of a trained model, README.md: generated from its record, read on the Hub as on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core import published
from zoo_core.card_metadata import metadata
from zoo_core.files import replace_text
from zoo_core.recipes import STANDARD_ERROR
from zoo_core.records import Model
from zoo_core.text import clean, plural

CARD_FILE = "README.md"
PICTURE_FILE = "sample.png"

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class About:
    """What a card says beside the record of the run.

    `model` is how the plugin registers the model; `repo` is owner/name on the Hub; `listed` says that the zoo has the
    preset by name, `picture` that sample.png is beside the card.
    """

    model: Model | None = None
    repo: str = ""
    listed: bool = False
    picture: bool = False


def about(folder: Path, record: Record) -> About:
    """What the card in a preset's folder has to say, from the installed plugin's manifest and what is in the folder."""
    on_hub = published.read(folder)
    return About(
        model=_registered(str(record["model"])),
        repo=on_hub.repo if on_hub else "",
        listed=is_listed(folder),
        picture=(folder / PICTURE_FILE).is_file(),
    )


def is_listed(folder: Path) -> bool:
    """Whether a folder is one of a plugin's presets/ folders, so that the zoo knows it by name."""
    from zoo_core.manifest import FILE_NAME

    parents = folder.resolve().parents
    return len(parents) > 1 and parents[0].name == "presets" and (parents[1] / FILE_NAME).is_file()


def write(folder: Path, record: Record) -> None:
    """Write the card of a preset's folder. Raises OSError, PresetError where its hub.json is malformed."""
    replace_text(folder / CARD_FILE, card(record, about(folder, record)))


def card(record: Record, about: About) -> str:
    """The whole card: Hub metadata, then what the model is, how to use it, what was measured, how it was trained."""
    name = title(record)
    task = about.model.task if about.model else ""
    sections = [
        [metadata(name, record, task)],
        [f"# {name}"],
        [_summary(record, about)],
        [_picture(about)],
        ["## Use", *_use(record, about)],
        ["## Measured", *_measured(record, about)],
        ["## Training", *_training(record)],
        ["## Data", *_data(record)],
        ["## Files", *_files(record)],
    ]
    paragraphs = (paragraph for section in sections for paragraph in _without_bare_heading(section))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def title(record: Record) -> str:
    """`model:variant`, or the model alone where no variant is recorded."""
    model = clean(str(record["model"]).rpartition("/")[2])
    variant = clean(str(record.get("variant") or ""))
    return f"{model}:{variant}" if variant else model


def reference(record: Record) -> str:
    """The name by which the zoo finds a listed preset: `model:variant`, its plugin before it where that is another."""
    plugin, _, model = str(record["model"]).partition("/")
    return title(record) if plugin == model else f"{clean(plugin)}/{title(record)}"


def _without_bare_heading(section: list[str]) -> list[str]:
    return [] if len(section) == 1 and section[0].startswith("## ") else section


def _registered(name: str) -> Model | None:
    from zoo_core.errors import ZooError
    from zoo_core.index import find_model

    try:
        return find_model(name)[1]
    except ZooError:
        return None


def _summary(record: Record, about: About) -> str:
    model = about.model
    what = f"{model.summary}{_paper(model.paper)}. " if model and model.summary else ""
    of_zoo = f"The model `{clean(str(record['model']))}` of the zoo of Keras 3 models"
    size = f" with {record['parameters']:,} parameters" if record.get("parameters") else ""
    data = clean(str((record.get("data") or {}).get("name", "")))
    return f"{what}{of_zoo}{size}{f', trained on {data}' if data else ''}."


def _paper(paper: str) -> str:
    if paper.startswith("arXiv:"):
        return f" ([{paper}](https://arxiv.org/abs/{paper.removeprefix('arXiv:')}))"
    return f" ({paper})" if paper else ""


def _picture(about: About) -> str:
    return f"![Drawn by the model]({PICTURE_FILE})" if about.picture else ""


def _use(record: Record, about: About) -> Iterator[str]:
    plugin = clean(str(record["model"]).partition("/")[0])
    needed = f"zoo-core and the plugin `{plugin}`"
    if about.listed:
        yield f"By its name, with {needed}, which has the sha256 of every file:"
        yield _console(f"zoo pull {reference(record)}")
        yield _python(f'model = zoo_core.load("{reference(record)}")')
    if about.repo:
        yield from _use_from_hub(about.repo, "whatever the plugin pins" if about.listed else f"with {needed}")
    if not (about.listed or about.repo):
        yield f"From the folder of this file, with {needed}:"
        yield _python('model = zoo_core.load("./FOLDER")')


def _use_from_hub(repo: str, how: str) -> Iterator[str]:
    yield (
        f"From this repository, {how}; `REVISION` stands for the 40 hexadecimal digits of a commit, and weights that "
        "are not those of its `run.json` are refused:"
    )
    yield _console(f"zoo pull hf://{repo}@REVISION")
    yield _python(f'model = zoo_core.load("hf://{repo}@REVISION")')
    folder = repo.partition("/")[2]
    yield "From a folder, downloaded by the Hub's own client:"
    yield _console(f"hf download {repo} --local-dir {folder}")
    yield _python(f'model = zoo_core.load("./{folder}")')


def _console(*lines: str) -> str:
    return "\n".join(["```console", *lines, "```"])


def _python(*lines: str) -> str:
    return "\n".join(["```python", "import zoo_core", "", *lines, "```"])


def _measured(record: Record, about: About) -> Iterator[str]:
    evaluation = record.get("evaluation")
    if not evaluation:
        yield "Not measured yet: `zoo evaluate` measures it."
        return
    metrics = evaluation["metrics"]
    rows = [
        f"| {clean(metric)} | {value:.4f} | {_error(metrics.get(metric + STANDARD_ERROR))} |"
        for metric, value in metrics.items()
        if not metric.endswith(STANDARD_ERROR)
    ]
    baselines = evaluation.get("baselines") or {}
    rows += [f"| *{clean(baseline)}*, to compare | {value:.4f} | |" for baseline, value in baselines.items()]
    if "examples" in evaluation:
        where = f"{evaluation['examples']:,} examples of the {clean(evaluation['split'])} split"
        measured_on = str((evaluation.get("data") or {}).get("name", ""))
        of_data = f" of {clean(measured_on)}" if measured_on not in ("", (record.get("data") or {}).get("name")) else ""
        yield f"On {where}{of_data}, with seed {evaluation['seed']}:"
    yield "\n".join(["| metric | value | standard error |", "| --- | --- | --- |", *rows])
    again = reference(record) if about.listed else "./FOLDER"
    yield f"`zoo evaluate {again} --verify` measures it again, and fails where the result is another."


def _error(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _training(record: Record) -> Iterator[str]:
    if not record.get("epochs"):
        return
    steps = f", {record['steps']:,} steps" if record.get("steps") else ""
    seed = f", seed {record['seed']}" if "seed" in record else ""
    place = f" on {_hardware(record['hardware'])}" if record.get("hardware") else ""
    took = f", {_duration(record['seconds'])}{place}" if record.get("seconds") else ""
    yield f"{plural(record['epochs'], 'epoch')}{steps}{seed}{took}."
    if initial := record.get("initial"):
        yield f"It started from the weights of {clean(initial['name'])}, sha256 `{clean(initial['sha256'])}`."
    yield from _settings(record)
    yield from _versions(record)


def _settings(record: Record) -> Iterator[str]:
    if record.get("settings"):
        recipe = clean(str(record.get("recipe", "")).rpartition(":")[2]) or "The recipe"
        settings = ", ".join(f"{name}={_setting(value)}" for name, value in record["settings"].items())
        yield f"`{recipe}` with {clean(settings)}."


def _versions(record: Record) -> Iterator[str]:
    versions = dict(record.get("versions") or {})
    backend = versions.pop("backend", "")
    shown = ", ".join(f"{name} {version}" for name, version in versions.items())
    if shown:
        computed = f"Computed by {clean(backend)}; versions" if backend else "Versions"
        yield f"{computed}: {clean(shown)}."


def _hardware(hardware: Mapping[str, Any]) -> str:
    devices = "" if hardware["devices"] == ["cpu"] else f", {', '.join(map(clean, hardware['devices']))}"
    return f"{clean(hardware['processor'])} ({plural(hardware['cores'], 'core')}{devices})"


def _setting(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(_setting, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 2:
        return f"{seconds:.1f} seconds"
    return f"{minutes:.1f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"


def _data(record: Record) -> Iterator[str]:
    from zoo_core.datasets import DATASETS

    data = record.get("data") or {}
    if not data.get("name"):
        return
    known = DATASETS.get(data["name"])
    what = f": {known.summary}" if known else ""
    splits = ", ".join(f"{count:,} {split}" for split, count in data.get("splits", {}).items())
    license_name = clean(str(data.get("license") or "not recorded"))
    yield f"{clean(data['name'])}{what}{f' ({splits})' if splits else ''}. Its licence: **{license_name}**."
    if known:
        yield f"It comes from {known.origin}."
    if data.get("sha256"):
        yield f"The sha256 of its content: `{clean(data['sha256'])}`."


def _files(record: Record) -> Iterator[str]:
    files = record.get("files") or {}
    if not files:
        return
    rows = [f"| {clean(name)} | {file['size']:,} | `{file['sha256']}` |" for name, file in files.items()]
    yield "\n".join(["| file | bytes | sha256 |", "| --- | --- | --- |", *rows])
    yield (
        "`model.safetensors` holds plain tensors and `config.json` the constructor's arguments: nothing here is code. "
        "`run.json` has the whole record, from which this card was generated."
    )
