"""Every check passes what is as it should be, and each finds what it is there to find."""

from __future__ import annotations

import keras
import pytest

from tests.conformance.project import Project
from zoo_core.conformance import Result
from zoo_core.conformance.table import NAMES

PARTS, PLUGIN, MANIFEST = "zoo_coral/parts.py", "zoo_coral/plugin.py", "zoo_coral/zoo-plugin.toml"
PRESET = "zoo_coral/presets/coral-small"
SKIPPED = {
    ("keras-name", "coral/Tide"): "Keras does not save callbacks",
    ("saving", "coral/Tide"): "Keras does not save callbacks",
}
DENSE = "        self.dense = keras.layers.Dense(units)\n"
PACKAGED = 'packages = ["zoo_coral"]\n'

# Check, object, the file that is spoiled, what is replaced by what, what the failure says.
SPOILED = [
    ("hooks", "coral", PLUGIN, "@hookimpl\ndef register_losses", "1 / 0\n\n@hookimpl\ndef register_losses", "ZeroDiv"),
    ("hooks", "coral", PLUGIN, "def register_losses", "def register_loss", "did you mean 'register_losses'?"),
    ("manifest", "coral", PLUGIN, 'register("Scale"', 'register("Size"', "lacks 'Size', still has 'Scale'; run: zoo"),
    ("manifest", "coral", MANIFEST, "A linear map, times a factor.", "A map.", "has changed 'Scale'"),
    ("manifest", "coral", MANIFEST, "schema = 1", "schema = 9", "cannot be read"),
    ("imports", "coral", "zoo_coral/__init__.py", "\n", "\nimport numpy\n", "importing zoo_coral imports numpy"),
    (
        "imports",
        "coral",
        PLUGIN,
        "\nfrom zoo_core import",
        "\nimport numpy\nfrom zoo_core import",
        "zoo_coral.plugin i",
    ),
    ("imports", "coral", PLUGIN, '    register("Drift"', '    import numpy\n    register("Drift"', "running the hooks"),
    (
        "wheel",
        "coral",
        "pyproject.toml",
        PACKAGED,
        f'{PACKAGED}exclude = ["*.toml"]\n',
        "lacks zoo_coral/zoo-plugin.toml",
    ),
    ("wheel", "coral", "pyproject.toml", PACKAGED, f'{PACKAGED}exclude = ["presets"]\n', "coral-small/README.md and 3"),
    ("wheel", "coral", "pyproject.toml", 'name = "zoo-coral"\nversion', 'name = "zoo-coral"\nvers', "cannot be built"),
    ("docstring", "coral", "zoo_coral/__init__.py", '"""One', 'TEXT = """One', "zoo_coral has no docstring"),
    ("docstring", "coral count", PLUGIN, '        """Count the corals."""\n', "", "the command has no help"),
    ("docstring", "coral/Scale", PARTS, '    """A linear map, times a factor."""\n', "", "Scale has no docstring"),
    ("docstring", "coral/coral", PARTS, '"""How a reef would be trained."""', "pass", "ReefRecipe has no docstring"),
    (
        "keras-name",
        "coral/Noise",
        PARTS,
        'package="coral")\nclass Noise',
        'package="reef")\nclass Noise',
        "'reef>Noise'",
    ),
    ("builds", "coral/Scale", PLUGIN, ', example={"units": 3}', "", "without an example: Scale.__init__() missing 1"),
    (
        "builds",
        "coral/Scale",
        PARTS,
        "ops.matmul(x, self",
        "ops.matmul(x[:, :, :, :, 0], self",
        "takes none of the usual inputs",
    ),
    ("builds", "coral/Quartic", PARTS, "y_true - y_pred", "y_true - y_prediction", "NameError"),
    ("builds", "coral/Drift", PARTS, "self.assign_sub(", "(", "leave the weights as they were"),
    ("builds", "coral/Drift", PARTS, "(keras.optimizers.Optimizer)", "", "subclass of keras' Optimizer or Model"),
    ("builds", "coral/Swell", PARTS, "return self.height * super()", "return 0.0 * super()", "weights as they were"),
    ("builds", "coral/Swell", PARTS, "(self, model, height=3.0,", "(self, inner, height=3.0,", "argument 'model'"),
    ("builds", "coral/Tide", PARTS, "(keras.callbacks.Callback)", "", "no subclass of keras' Callback"),
    ("builds", "coral/Tide", PARTS, "self.epochs += 1", "self.missing += 1", "AttributeError"),
    (
        "builds",
        "coral/Blend",
        "zoo_coral/examples.py",
        "return Example",
        "return 7 or Example",
        "its example is int, not",
    ),
    ("float32", "coral/coral", PARTS, "* self.gain", "* self.gain / 0.0", "outputs in float32: 6 of 6 numbers are NaN"),
    ("float32", "coral/Scale", PARTS, 'name="kernel")', 'name="kernel", dtype="float16")', "'kernel' is float16"),
    ("mixed-precision", "coral/Scale", PARTS, "* self.factor", "* 1e30", "outputs under mixed_float16"),
    ("jit", "coral/Scale", PARTS, "* self.factor", "* float(self.factor + 0 * ops.sum(x))", "does not compile"),
    (
        "jit",
        "coral/Scale",
        PARTS,
        "* self.factor",
        "* ops.sqrt(0 * self.kernel[0, 0])",
        "gradients, compiled: 1 of 24",
    ),
    ("config", "coral/Scale", PARTS, ', "factor": self.factor}', "}", "leaves out 'factor'"),
    ("config", "coral/Blend", PARTS, "keras.saving.serialize_keras_object(self.inner)", "self.inner", "no plain JSON"),
    ("config", "coral/Drift", PARTS, '"drift": self.drift', '"drift": self.drift + 1', "another 'drift'"),
    ("config", "coral/Swell", PARTS, '"height": self.height', '"height": 1.0', "and those when made again"),
    ("config", "coral/Tide", PARTS, 'self.epochs = state["epochs"]', "pass", "gives another state"),
    ("config", "coral/coral", PARTS, '"gain": self.gain', '"gain": 1.0', "its outputs, and those when made again"),
    (
        "saving",
        "coral/Scale",
        PARTS,
        "    def call(self, x):\n        return ops.mat",
        "{no_weights}",
        "saved and loaded, differ",
    ),
    ("saving", "coral/Drift", PARTS, "    def update_step", "{no_state}", "its weights, saved and loaded, differ"),
    ("saving", "coral/Swell", PARTS, "    def compute_loss", "{no_batches}", "its weights, saved and loaded, differ"),
    ("jit", "coral/Swell", PARTS, "return self.height *", "return float(self.batches) *", "does not compile"),
    ("tensor-names", "coral/coral", PARTS, DENSE, "{renamed}", "two constructions differ in the tensors 'by_number/"),
    (
        "tensor-names",
        "coral/coral",
        PARTS,
        "        self.dense.build((None, 4))\n",
        "",
        "no weights before it is called",
    ),
    ("weights", "coral/coral", PARTS, '"gain": self.gain', '"gain": 1.0', "its outputs, before saving and after"),
    ("weights", "coral/coral", PARTS, '"units": self.units, "gain"', '"gain"', "needs the argument 'units'"),
    ("preset-files", "coral/coral:small", f"{PRESET}/README.md", "library_name", "library", "README.md: expected"),
    ("preset-license", "coral/coral:small", MANIFEST, '"Apache-2.0"', '"free as in beer"', "no SPDX expression"),
    ("preset-license", "coral/coral:small", MANIFEST, '"Apache-2.0"', '""', "names no licence"),
    (
        "preset-card",
        "coral/coral:small",
        f"{PRESET}/README.md",
        "library_name",
        "library",
        "README.md is not up to date; run: zoo",
    ),
]
FORGETFUL = "    def load_own_variables(self, store):\n        pass\n\n"
TEXTS = {
    "{no_weights}": f"{FORGETFUL}    def call(self, x):\n        return ops.mat",
    "{no_batches}": f"{FORGETFUL}    def compute_loss",
    "{no_state}": f"{FORGETFUL}    def update_step",
    "{renamed}": "        self.by_number = {str(id(self)): keras.layers.Dense(units)}\n"
    "        (self.dense,) = self.by_number.values()\n",
}


def failure(result: Result) -> str:
    return f"{result.status}: {result.detail}"


@pytest.mark.backend
def test_a_plugin_that_is_as_it_should_be_passes_every_check(whole: Project) -> None:
    results = whole.check()
    assert {check for check, _ in results} == set(NAMES)
    unexpected = {key: failure(each) for key, each in results.items() if each.status != "passed" and key not in SKIPPED}
    assert unexpected == {}
    for key, reason in SKIPPED.items():
        assert results[key].status == "skipped"
        assert reason in results[key].detail


def test_every_check_is_shown_to_fail() -> None:
    shown = {check for check, *_ in SPOILED} | {"preset-loads"}
    assert shown == set(NAMES)


@pytest.mark.backend
@pytest.mark.parametrize(
    ("check", "name", "file", "old", "new", "reason"),
    SPOILED,
    ids=[f"{check}-{name.rpartition('/')[2]}-{number}" for number, (check, name, *_) in enumerate(SPOILED)],
)
def test_a_check_fails_for_what_it_is_there_to_find(
    check: str, name: str, file: str, old: str, new: str, reason: str, coral: Project
) -> None:
    old, new = (TEXTS.get(text, text) for text in (old, new))
    if (check, name) == ("jit", "coral/Swell") and keras.backend.backend() == "jax":
        # JAX compiles every training step, so that it is found sooner.
        check, reason = "builds", "ConcretizationTypeError"
    result = coral.spoil(file, old, new).check(check, of=name)[check, name]
    assert result.status == "failed", failure(result)
    assert reason in result.detail
    assert result.detail.isprintable()


@pytest.mark.backend
def test_a_preset_of_another_model_does_not_load(coral: Project) -> None:
    coral.spoil(f"{PRESET}/config.json", '"units": 3', '"units": 5').update()
    results = coral.check("preset-files", "preset-loads")
    assert results["preset-files", "coral/coral:small"].status == "passed"
    result = results["preset-loads", "coral/coral:small"]
    assert result.status == "failed"
    assert "expected float32 of shape (5,), found float32 of shape (3,)" in result.detail


@pytest.mark.backend
def test_what_does_not_build_is_told_once(coral: Project) -> None:
    coral.spoil(PARTS, "* self.factor", "* self.factors")
    results = coral.check("builds", "float32", "mixed-precision", "jit", "config", "saving", of="coral/Scale")
    statuses = {check: result.status for (check, name), result in results.items() if name == "coral/Scale"}
    assert statuses.pop("builds") == "failed"
    assert set(statuses.values()) == {"skipped"}
    assert results["jit", "coral/Scale"].detail == "it does not build: see the check 'builds'"
