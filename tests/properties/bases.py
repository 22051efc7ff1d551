"""Valid documents to start from: what is malformed differs from these in a few places only."""

from __future__ import annotations

import json
from typing import Any

SHA256 = "0123456789abcdef" * 4
REVISION = "0123456789abcdef0123456789abcdef01234567"

FILES = [
    {"name": "config.json", "size": 60, "sha256": SHA256},
    {"name": "model.safetensors", "size": 10**9, "sha256": SHA256},
    {"name": "run.json", "size": 0, "sha256": SHA256},
]

MANIFEST: dict[str, Any] = {
    "schema": 1,
    "plugin": "glow",
    "hookspec": 1,
    "components": [
        {
            "kind": "layers",
            "name": "ActNorm",
            "target": "zoo_glow.layers:ActNorm",
            "summary": "Scale and shift, 每通道.",
        },
        {"kind": "losses", "name": "NegativeLogLikelihood", "target": "zoo_glow.losses:NLL"},
    ],
    "models": [
        {
            "name": "glow",
            "target": "zoo_glow.models:Glow",
            "task": "image-generation",
            "summary": 'Glow: "actnorm", 1x1 convolutions \\ couplings',
            "recipe": "zoo_glow.recipes:GlowRecipe",
            "paper": "arXiv:1807.03039",
            "default": "mnist",
        },
        {"name": "nice", "target": "", "task": "é 🙂"},
    ],
    "commands": [{"name": "sample", "summary": "Draw samples."}],
    "presets": [
        {
            "model": "glow",
            "variant": "mnist",
            "license": "Apache-2.0",
            "parameters": 872_160,
            "data": "mnist",
            "files": FILES,
            "metrics": {"bits_per_dim": 1.115, "images_not_restored": 0, "top.1": -0.5},
            "folder": "presets/glow-mnist",
        },
        {
            "model": "nice",
            "variant": "v1.0",
            "license": "",
            "parameters": 0,
            "files": FILES[:1],
            "repo": "some-one/nice_v1.0",
            "revision": REVISION,
        },
    ],
}

MINIMAL_MANIFEST: dict[str, Any] = {"schema": 1, "plugin": "tiny"}

CONFIGS: tuple[dict[str, Any], ...] = (
    {
        "schema": 1,
        "model": "glow/glow",
        "arguments": {
            "image_shape": [28, 28, 1],
            "levels": 2,
            "steps": [8, 8],
            "coupling": "affine",
            "bound": 2.0,
            "positions": True,
            "preprocess": None,
        },
    },
    {"schema": 1, "model": "toy/net", "arguments": {"units": 3, "nested": {"a": [[1], {}]}}, "storage": "float16"},
    {"schema": 1, "model": "toy/net", "arguments": {}},
)

RUN: dict[str, Any] = {
    "schema": 1,
    "model": "glow/glow",
    "variant": "mnist",
    "recipe": "zoo_glow.recipes:GlowRecipe",
    "settings": {"data": "mnist", "epochs": 8, "learning_rate": 0.002, "steps": [8], "positions": True, "extra": None},
    "data": {"name": "mnist", "sha256": SHA256, "license": "CC-BY-SA-3.0", "splits": {"train": 60_000, "test": 10_000}},
    "seed": 0,
    "epochs": 8,
    "steps": 7496,
    "seconds": 2219.0,
    "hardware": {"processor": "AMD EPYC", "cores": 2, "memory_gib": 23.5, "devices": ["cpu"]},
    "versions": {"python": "3.11.7", "zoo-core": "0.1.0", "keras": "3.15.1", "backend": "tensorflow"},
    "parameters": 872_160,
    "initial": {"name": "glow:mnist", "sha256": SHA256},
    "evaluation": {
        "split": "test",
        "examples": 10_000,
        "seed": 0,
        "metrics": {"bits_per_dim": 1.115, "bits_per_dim_standard_error": 0.0026},
        "baselines": {"untrained_bits_per_dim": 1.709},
        "data": {"name": "mnist", "sha256": SHA256},
    },
    "license": "Apache-2.0",
    "files": {name: {"size": 3, "sha256": SHA256} for name in ("config.json", "model.safetensors")},
}

HEADERS: tuple[dict[str, Any], ...] = (
    {
        "__metadata__": {"format": "keras"},
        "levels/0/kernel": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "levels/0/bias": {"dtype": "F16", "shape": [3], "data_offsets": [24, 30]},
        "step": {"dtype": "I64", "shape": [], "data_offsets": [32, 40]},
        "flags": {"dtype": "BOOL", "shape": [2], "data_offsets": [30, 32]},
        "none": {"dtype": "F64", "shape": [0, 4], "data_offsets": [40, 40]},
    },
    {"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}},
    {},
)
DATA_SIZES = (40, 4, 0)


def as_json(value: Any) -> bytes:
    """A value as JSON, with whatever Python's own encoder allows: NaN, Infinity and lone surrogates; dates as texts."""
    return json.dumps(_writable(value), default=str).encode()


def _writable(value: Any, depth: int = 0) -> Any:
    """Numbers that Python would not write out in decimal are made smaller: JSON can only have them so."""
    if isinstance(value, dict) and depth < 20:
        return {key: _writable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list) and depth < 20:
        return [_writable(item, depth + 1) for item in value]
    return 10**4000 if isinstance(value, int) and abs(value) > 10**4000 else value
