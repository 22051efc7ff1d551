"""The test Hub's check of a model card's metadata: YAML, known keys, their types, licences, evaluation results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

_BLOCK = re.compile(r"^\s*---\r?\n([\s\S]*?)\r?\n---[ \t]*(\r?\n|$)")

_LICENSES = [
    "apache-2.0",
    "mit",
    "openrail",
    "bigscience-openrail-m",
    "creativeml-openrail-m",
    "afl-3.0",
    "artistic-2.0",
    "bsl-1.0",
    "bsd",
    "bsd-2-clause",
    "bsd-3-clause",
    "bsd-3-clause-clear",
    "c-uda",
    "cc",
    "cc0-1.0",
    "cc-by-2.0",
    "cc-by-2.5",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc-by-nc-2.0",
    "cc-by-nc-3.0",
    "cc-by-nc-4.0",
    "cc-by-nd-4.0",
    "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0",
    "ecl-2.0",
    "epl-1.0",
    "epl-2.0",
    "eupl-1.1",
    "eupl-1.2",
    "agpl-3.0",
    "gfdl",
    "gpl",
    "gpl-2.0",
    "gpl-3.0",
    "lgpl",
    "lgpl-2.1",
    "lgpl-3.0",
    "isc",
    "lppl-1.3c",
    "ms-pl",
    "mpl-2.0",
    "odc-by",
    "odbl",
    "ofl-1.1",
    "osl-3.0",
    "postgresql",
    "ncsa",
    "unlicense",
    "wtfpl",
    "zlib",
    "pddl",
    "unknown",
    "other",
]

_TEXTS = {"license", "license_name", "license_link", "library_name", "pipeline_tag", "inference", "thumbnail"}
_LISTS = {"tags", "datasets", "metrics", "language", "base_model", "widget"}
_KNOWN = _TEXTS | _LISTS | {"model-index", "model_name", "extra_gated_prompt", "co2_eq_emissions"}

_PIPELINES = {
    "unconditional-image-generation", "image-classification", "image-feature-extraction", "image-to-image",
    "image-segmentation", "image-to-text", "text-generation", "text-classification", "token-classification",
    "fill-mask", "feature-extraction", "sentence-similarity", "tabular-classification", "tabular-regression",
    "reinforcement-learning", "time-series-forecasting", "zero-shot-image-classification", "graph-ml", "other",
}  # fmt: skip


def findings(card: str) -> tuple[list[str], list[str]]:
    """What is wrong with a card's metadata, and what it lacks: errors and warnings."""
    match = _BLOCK.match(card)
    if match is None:
        return [], ["empty or missing yaml metadata in repo card"]
    try:
        metadata = yaml.safe_load(match[1])
    except yaml.YAMLError as wrong:
        return [f"not valid YAML: {wrong}"], []
    if not isinstance(metadata, dict):
        return ["the metadata should be a mapping"], []
    return list(_errors(metadata)), list(_warnings(metadata))


def _errors(metadata: dict[str, Any]) -> Iterator[str]:
    for key, value in metadata.items():
        if key in _TEXTS and not isinstance(value, str):
            yield f'"{key}" must be a string'
        if key in _LISTS and not _is_texts(value):
            yield f'"{key}" must be a string or a list of strings'
    if "license" in metadata and metadata["license"] not in _LICENSES:
        yield f'"license" must be one of {_LICENSES}'
    if "license_name" in metadata and metadata.get("license") != "other":
        yield '"license_name" is for "license: other"'
    if metadata.get("pipeline_tag", "other") not in _PIPELINES:
        yield f'"pipeline_tag" must be one of {sorted(_PIPELINES)}'
    if "model-index" in metadata:
        yield from _model_index(metadata["model-index"])


def _warnings(metadata: dict[str, Any]) -> Iterator[str]:
    for key in metadata.keys() - _KNOWN:
        yield f'"{key}" is not a known key'
    if "license" not in metadata:
        yield '"license" is missing'


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def _model_index(index: Any) -> Iterator[str]:
    if not isinstance(index, list) or not all(isinstance(model, dict) for model in index):
        yield '"model-index" must be a list of mappings'
        return
    for number, model in enumerate(index):
        place = f'"model-index[{number}]'
        if not isinstance(model.get("name"), str):
            yield f'{place}.name" is required'
        if not isinstance(model.get("results"), list) or not model["results"]:
            yield f'{place}.results" is required'
            continue
        for position, result in enumerate(model["results"]):
            yield from _result(result, f"{place}.results[{position}]")


def _result(result: dict[str, Any], place: str) -> Iterator[str]:
    task, dataset = result.get("task") or {}, result.get("dataset") or {}
    if not isinstance(task.get("type"), str):
        yield f'{place}.task.type" is required'
    for key in ("name", "type"):
        if not isinstance(dataset.get(key), str):
            yield f'{place}.dataset.{key}" is required'
    metrics = result.get("metrics")
    if not isinstance(metrics, list) or not metrics:
        yield f'{place}.metrics" is required'
        return
    for metric in metrics:
        if not isinstance(metric.get("type"), str):
            yield f'{place}.metrics.type" is required'
        value = metric.get("value")
        if value is None or isinstance(value, bool) or (isinstance(value, float) and value != value):
            yield f'{place}.metrics.value" is required'
