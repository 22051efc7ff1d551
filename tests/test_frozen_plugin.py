"""A plugin frozen at zoo-core 0.1 (hook spec 1, schema 1) goes on working; tests/frozen/README.md: never edit it."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import zoo_core
from tests.conftest import MANIFEST, PLUGIN, FakePlugins
from zoo_core import host, index, snapshot
from zoo_core.cli import main

FROZEN = Path(__file__).parent / "frozen"
DATA = FROZEN / "ponds.npz"
PRESET = FROZEN / "zoo_pond" / "presets" / "pond-ponds"
SHA256 = "d25b8784afd904aa768f297695d8de7abf5b7e0aa130b4f6616d138faaf9cdbc"

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True, scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The frozen plugin on the import path, as an installer leaves it, and no other; a folder for more of them."""
    from zoo_core import distributions
    from zoo_core import installed as installed_module

    def frozen_distributions() -> Iterator[distributions.Distribution]:
        found = distributions.plugin_distributions()
        return (each for each in found if each.metadata.parent in (FROZEN, folder))

    home = tmp_path_factory.mktemp("frozen")
    folder = home / "site"
    folder.mkdir()
    (home / "registry.toml").write_text("schema = 1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FROZEN))
        patch.syspath_prepend(str(folder))
        patch.setenv("ZOO_HOME", str(home))
        patch.setenv("ZOO_REGISTRY", str(home / "registry.toml"))
        patch.setattr(installed_module, "plugin_distributions", frozen_distributions)
        yield folder
    host.outcome.cache_clear()
    for module in [name for name in sys.modules if name.partition(".")[0] == "zoo_pond"]:
        del sys.modules[module]


def forward(weights: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """What the frozen model computes, in NumPy."""
    pixels = images.reshape(len(images), -1) / np.float32(255)
    pieces = pixels @ weights["hidden/dense/kernel"] + weights["hidden/dense/bias"]
    hidden = pieces.reshape(len(images), 3, 2).max(axis=-1)
    return hidden @ weights["head/kernel"] + weights["head/bias"]


def document(capsys: Captured, *arguments: str) -> Any:
    capsys.readouterr()
    assert main(arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_nobody_has_edited_it() -> None:
    digest = hashlib.sha256()
    files = [path for path in sorted(FROZEN.rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    for path in files:
        digest.update(f"{path.relative_to(FROZEN).as_posix()} {path.stat().st_size}\n".encode() + path.read_bytes())
    assert digest.hexdigest() == SHA256, "tests/frozen/README.md: mend the core instead"


def test_it_is_listed_and_shown(capsys: Captured) -> None:
    (row,) = document(capsys, "list", "--json")
    assert (row["name"], row["plugin"], row["installed"], row["broken"]) == ("pond", "pond", True, None)
    assert [(preset["variant"], preset["pulled"]) for preset in row["presets"]] == [("ponds", True)]
    assert row["presets"][0]["metrics"] == {"accuracy": 1.0, "accuracy_standard_error": 0.0}
    assert main(["info", "pond"]) == 0
    assert "arXiv:1302.4389" in capsys.readouterr().out


def test_its_hooks_register_what_its_manifest_says() -> None:
    plugin = index.find_plugin("pond")
    assert plugin.manifest is not None
    found = snapshot.outline("pond", host.load(plugin))
    assert found.models == plugin.manifest.models
    assert found.commands == plugin.manifest.commands
    kinds = [(item.kind, item.name, item.target) for item in found.components]
    assert kinds == [(item.kind, item.name, item.target) for item in plugin.manifest.components]
    assert {kind for kind, _, _ in kinds} == {"losses", "layers", "optimizers", "callbacks"}


@pytest.mark.backend
def test_its_weights_load_and_compute_what_they_did() -> None:
    images = np.load(DATA)["x_test"][..., None]
    expected = forward(load_file(PRESET / "model.safetensors"), images)
    for name in ("pond", "pond/pond:ponds", PRESET):
        logits = np.asarray(zoo_core.load(name)(images))
        np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.backend
def test_its_components_work() -> None:
    import keras

    layer = zoo_core.layers["pond/Maxout"](units=2, pieces=3)
    assert layer(np.zeros((4, 5), "float32")).shape == (4, 2)
    loss = zoo_core.losses.get("HalfSquaredError")
    assert float(loss(np.zeros((1, 2)), np.array([[3.0, 4.0]]))) == 12.5
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    counter = zoo_core.callbacks["StepCounter"]()
    model.compile(zoo_core.optimizers.get("SignDescent", learning_rate=0.25), loss)
    model.fit(np.ones((2, 1)), np.zeros((2, 1)), batch_size=1, epochs=1, verbose=0, callbacks=[counter])
    assert model.get_weights()[0].item() == 0.5
    assert counter.steps == 2
    assert set(zoo_core.custom_objects("pond")) == {
        *("pond>HalfSquaredError", "pond>Maxout", "pond>SignDescent", "pond>Pond")
    }


@pytest.mark.backend
def test_its_command_runs(capsys: Captured) -> None:
    assert main(["pond", "count", str(DATA)]) == 0
    large = int(np.load(DATA)["y_test"].sum())
    assert capsys.readouterr().out == f"{large} of 32 are large\n"


@pytest.mark.backend
def test_its_measurement_is_what_was_recorded(capsys: Captured) -> None:
    assert main(["evaluate", "pond", "--data", str(DATA), "--verify"]) == 0
    assert "1.0000" in capsys.readouterr().out


@pytest.mark.backend
def test_it_trains_and_goes_on(tmp_path: Path) -> None:
    for epochs in (1, 2):
        record = zoo_core.train(
            "pond", DATA, {"epochs": epochs, "widths": "1,2"}, out=tmp_path / "run", progress="none"
        )
    assert (record["epochs"], record["steps"], record["settings"]["note"]) == (2, 16, None)
    assert (tmp_path / "run/samples/epoch-0002.txt").read_text() == "230 numbers\n"
    images = np.load(DATA)["x_test"][..., None]
    expected = forward(load_file(tmp_path / "run/model.safetensors"), images)
    np.testing.assert_allclose(np.asarray(zoo_core.load(tmp_path / "run")(images)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.backend
def test_training_can_start_from_its_weights(tmp_path: Path) -> None:
    options = {"init": "pond:ponds", "out": tmp_path / "run", "progress": "none"}
    record = zoo_core.train("pond", DATA, {"epochs": 1, "learning_rate": 1e-6}, **options)
    assert record["initial"]["name"] == "pond:ponds"
    before, after = (load_file(folder / "model.safetensors") for folder in (PRESET, tmp_path / "run"))
    assert all(np.allclose(before[name], after[name], atol=1e-3) for name in before)


@pytest.mark.backend
def test_a_plugin_that_was_renamed_lives_on_under_its_old_name(site: Path, tmp_path: Path) -> None:
    """What docs/plugins.md advises: `puddle` is now `pond`, and its last version registers the same classes."""
    plugins = FakePlugins(site)
    renamed = PLUGIN.replace("{package}.parts:Tiny", "zoo_pond.models:Pond").replace(
        "{package}.parts:Recipe", "zoo_pond.recipe:PondRecipe"
    )
    plugins.add("puddle", plugin=renamed, manifest=MANIFEST.partition("[[presets]]")[0])
    images = np.load(DATA)["x_test"][..., None]
    expected = np.asarray(zoo_core.load("pond")(images))
    old, new = tmp_path / "old", tmp_path / "new"
    zoo_core.save(zoo_core.load("pond"), old, reference="puddle/puddle")
    np.testing.assert_array_equal(np.asarray(zoo_core.load(old)(images)), expected)
    zoo_core.save(zoo_core.load(old), new, reference="pond/pond")
    shutil.rmtree(site / "zoo_puddle-1.0.dist-info")
    np.testing.assert_array_equal(np.asarray(zoo_core.load(new)(images)), expected)
    with pytest.raises(zoo_core.errors.ZooError, match="puddle"):
        zoo_core.load(old)
