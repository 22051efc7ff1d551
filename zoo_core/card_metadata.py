"""The metadata of a model card, as the Hub reads it: licence, tags, task, data sets and evaluation results in YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zoo_core.recipes import STANDARD_ERROR
from zoo_core.text import clean

PICTURES_WITHOUT_PROMPT = "unconditional-image-generation"

# What the Hub calls our tasks; a task of another name is passed on where the Hub knows it.
_TASKS = {"image-generation": PICTURES_WITHOUT_PROMPT}
_HUB_TASKS = frozenset(
    (
        "audio-classification",
        "automatic-speech-recognition",
        "depth-estimation",
        "feature-extraction",
        "fill-mask",
        "graph-ml",
        "image-classification",
        "image-feature-extraction",
        "image-segmentation",
        "image-to-image",
        "image-to-text",
        "object-detection",
        "question-answering",
        "reinforcement-learning",
        "sentence-similarity",
        "summarization",
        "tabular-classification",
        "tabular-regression",
        "text-classification",
        "text-generation",
        "text-to-image",
        "time-series-forecasting",
        "token-classification",
        "translation",
        PICTURES_WITHOUT_PROMPT,
    )
)

# Licences that the Hub knows by the lower-case form of their SPDX name; another one is "other", with its name beside.
_LICENSES = frozenset(
    (
        "afl-3.0",
        "agpl-3.0",
        "apache-2.0",
        "artistic-2.0",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsd-3-clause-clear",
        "bsl-1.0",
        "cc-by-2.0",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-nc-2.0",
        "cc-by-nc-3.0",
        "cc-by-nc-4.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc0-1.0",
        "epl-2.0",
        "eupl-1.2",
        "gpl-2.0",
        "gpl-3.0",
        "isc",
        "lgpl-2.1",
        "lgpl-3.0",
        "mit",
        "mpl-2.0",
        "openrail",
        "osl-3.0",
        "unknown",
        "unlicense",
        "wtfpl",
        "zlib",
    )
)
_SPDX_SUFFIXES = ("-only", "-or-later")

# Where the Hub has the very data that the zoo knows by this name.
_HUB_DATASETS = {"fashion-mnist": "zalando-datasets/fashion_mnist", "mnist": "ylecun/mnist"}

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def metadata(name: str, record: Mapping[str, Any], task: str) -> str:
    """The block between `---` lines that begins the card of a model: `name` is `model:variant`, `task` our task."""
    plugin, _, model = str(record["model"]).partition("/")
    tags = ["zoo", plugin, *([model] if model != plugin else []), *([task] if task else [])]
    hub_task = _hub_task(task)
    data = _data(record)
    values: dict[str, Any] = {
        **_license(str(record.get("license") or "unknown")),
        "library_name": "keras",
        **({"pipeline_tag": hub_task} if hub_task else {}),
        "tags": [clean(tag) for tag in tags],
        **({"datasets": [_HUB_DATASETS[data]]} if data in _HUB_DATASETS else {}),
    }
    evaluation = record.get("evaluation") or {}
    if evaluation.get("metrics"):
        measured_on = clean(str((evaluation.get("data") or {}).get("name") or data))
        values["model-index"] = [{"name": name, "results": [_result(evaluation, measured_on, hub_task, task)]}]
    return "\n".join(["---", *_yaml(values), "---"])


def _hub_task(task: str) -> str:
    named = _TASKS.get(task, task)
    return named if named in _HUB_TASKS else ""


def _license(name: str) -> dict[str, str]:
    known = name.lower()
    for suffix in _SPDX_SUFFIXES:
        known = known.removesuffix(suffix)
    return {"license": known} if known in _LICENSES else {"license": "other", "license_name": clean(name).lower()}


def _data(record: Mapping[str, Any]) -> str:
    return clean(str((record.get("data") or {}).get("name", "")))


def _result(evaluation: Mapping[str, Any], data: str, hub_task: str, task: str) -> dict[str, Any]:
    metrics = [
        {"type": clean(name), "name": clean(name), "value": float(f"{value:.6g}")}
        for name, value in evaluation["metrics"].items()
        if not name.endswith(STANDARD_ERROR)
    ]
    data = data or "unknown"
    split = clean(str(evaluation.get("split") or "test"))
    return {
        "task": {"type": hub_task or "other", "name": clean(task or "other")},
        "dataset": {"name": data, "type": _HUB_DATASETS.get(data, data), "split": split},
        "metrics": metrics,
    }


def _yaml(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """A mapping as YAML, a line for each scalar."""
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield f"{indent}{key}:"
            yield from _yaml(item, indent + "  ")
        elif isinstance(item, Sequence) and not isinstance(item, str):
            yield f"{indent}{key}:"
            yield from _yaml_items(item, indent)
        else:
            yield f"{indent}{key}: {_scalar(item)}"


def _yaml_items(items: Sequence[Any], indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Mapping):
            first, *others = _yaml(item, indent + "  ")
            yield f"{indent}- {first.strip()}"
            yield from others
        else:
            yield f"{indent}- {_scalar(item)}"


def _scalar(value: str | float) -> str:
    if not isinstance(value, str):
        # To YAML, 1e-07 is a text and 1.0e-07 a number.
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))
    plain = _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS
    # A JSON string is a YAML one: clean() has removed what YAML does not allow in a text.
    return value if plain else json.dumps(value, ensure_ascii=False)
