"""The table of all checks: what each is called, what it looks at, what it demands, and which function decides it."""

from __future__ import annotations

from dataclasses import dataclass

from zoo_core.records import KINDS

PLUGIN, COMMANDS, MODELS, PRESETS = "plugin", "commands", "models", "presets"
COMPUTING = (*KINDS, MODELS)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `kinds` are the kinds of objects that it looks at, `function` the import path of what decides it."""

    name: str
    kinds: tuple[str, ...]
    demand: str
    function: str


def _check(name: str, kinds: tuple[str, ...], module: str, demand: str) -> Check:
    return Check(name, kinds, demand, f"zoo_core.conformance.{module}:check_{name.replace('-', '_')}")


CHECKS = (
    _check("hooks", (PLUGIN,), "package", "plugin.py can be imported and its hooks run"),
    _check("manifest", (PLUGIN,), "package", "zoo-plugin.toml is what the hooks and the presets folder say"),
    _check("imports", (PLUGIN,), "imports", "the package and plugin.py import neither Keras, a backend nor NumPy"),
    _check("wheel", (PLUGIN,), "wheel", "the built wheel holds zoo-plugin.toml and the bundled presets"),
    _check(
        "docstring",
        (PLUGIN, COMMANDS, *COMPUTING),
        "docstrings",
        "packages, classes and recipes have a docstring, commands a help text",
    ),
    _check("keras-name", COMPUTING, "naming", "the class is registered with Keras as plugin>ClassName"),
    _check("builds", COMPUTING, "computing", "it can be made from its defaults or its example, and used"),
    _check("float32", COMPUTING, "computing", "it computes finite numbers in float32, its weights too"),
    _check("mixed-precision", COMPUTING, "computing", "so it does under mixed_bfloat16 and mixed_float16"),
    _check("jit", COMPUTING, "compiling", "with jit_compile=True it computes the same, and finite gradients"),
    _check("config", COMPUTING, "configuration", "from_config(get_config()) gives one that does the same"),
    _check("saving", COMPUTING, "saving", "saved as .keras and loaded it has the same weights and does the same"),
    _check("tensor-names", (MODELS,), "weights", "the weights' names are the same at every construction"),
    _check("weights", (MODELS,), "weights", "zoo_core.save, then zoo_core.load: the same weights and outputs"),
    _check("preset-files", (PRESETS,), "presets", "every file is there, with the manifest's size and sha256"),
    _check("preset-license", (PRESETS,), "presets", "the weights have a licence, as an SPDX expression"),
    _check("preset-card", (PRESETS,), "presets", "README.md is the card that run.json and config.json make"),
    _check("preset-loads", (PRESETS,), "presets", "zoo_core.load gives the model with these weights"),
)

NAMES = tuple(check.name for check in CHECKS)
