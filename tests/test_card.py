"""The card that is generated of a record: metadata that YAML and the Hub's own client read, and text for people."""

from __future__ import annotations

import copy
import json

import pytest
import yaml

from tests.conftest import CHECKOUT
from tests.hub.cards import findings
from tests.hub.plugin import RUN
from tests.projects import write_project
from zoo_core.card import About, card, is_listed, title
from zoo_core.cli import main
from zoo_core.records import Model

RECORD = {"model": "dots/dot", "files": {"config.json": {"size": 60, "sha256": "f" * 64}}, **RUN}
MODEL = Model("dot", "zoo_dots.dots:Dot", "image-generation", "A dot: the smallest picture", paper="A. Author, 1999")
PRESETS = sorted((CHECKOUT / "plugins" / "glow" / "zoo_glow" / "presets").iterdir())


def changed(**values):
    """The record with other values."""
    return {**copy.deepcopy(RECORD), **values}


def metadata(text: str):
    """What YAML makes of a card's first block."""
    return yaml.safe_load(text.split("---\n")[1])


@pytest.mark.parametrize("value", [1e-7, -3e20, 2.5e-9, 0, 1234567])
def test_a_measured_value_is_a_number_to_yaml(value):
    record = changed(evaluation={"split": "test", "metrics": {"loss": value}})
    (result,) = metadata(card(record, About(MODEL)))["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == pytest.approx(value, rel=1e-5)


def test_metadata_are_those_of_the_record():
    found = metadata(card(RECORD, About(MODEL)))
    assert found == {
        "license": "apache-2.0",
        "library_name": "keras",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["zoo", "dots", "dot", "image-generation"],
        "model-index": [
            {
                "name": "dot:first",
                "results": [
                    {
                        "task": {"type": "unconditional-image-generation", "name": "image-generation"},
                        "dataset": {"name": "dots", "type": "dots", "split": "test"},
                        "metrics": [{"type": "loss", "name": "loss", "value": 0.25}],
                    }
                ],
            }
        ],
    }


def test_data_that_the_hub_has_is_named_as_the_hub_does():
    text = card(changed(data={**RUN["data"], "name": "fashion-mnist", "license": "MIT"}), About(MODEL))
    assert metadata(text)["datasets"] == ["zalando-datasets/fashion_mnist"]
    assert metadata(text)["model-index"][0]["results"][0]["dataset"]["type"] == "zalando-datasets/fashion_mnist"
    assert "fashion-mnist: 28x28 grey pictures of clothes (44 train, 20 test). Its licence: **MIT**." in text


@pytest.mark.parametrize(
    ("license_name", "told"),
    [
        ("MIT", {"license": "mit"}),
        ("GPL-3.0-or-later", {"license": "gpl-3.0"}),
        ("CC-BY-NC-4.0", {"license": "cc-by-nc-4.0"}),
        ("My Own: v1", {"license": "other", "license_name": "my own: v1"}),
        ("", {"license": "unknown"}),
    ],
)
def test_license_is_one_that_the_hub_knows_or_other(license_name, told):
    text = card(changed(license=license_name), About(MODEL))
    assert {key: value for key, value in metadata(text).items() if key.startswith("license")} == told
    assert findings(text) == ([], [])


@pytest.mark.parametrize("task", ["", "testing", "image-classification"])
def test_only_tasks_of_the_hub_become_its_pipeline_tag(task):
    text = card(RECORD, About(Model("dot", "zoo_dots.dots:Dot", task)))
    assert metadata(text).get("pipeline_tag", "") == (task if task == "image-classification" else "")
    assert findings(text) == ([], [])


@pytest.mark.parametrize(
    "name", ["yes", "null", "1e3", "0x1f", "- item", "a: b", "it's", 'quo"te', "# no", "\x1b[31mred", "a\nb: c", "日本"]
)
def test_names_from_elsewhere_stay_texts(name):
    record = changed(variant=name, data={**RUN["data"], "name": name})
    record["evaluation"]["metrics"] = {name: 1.5}
    text = card(record, About(MODEL))
    (result,) = metadata(text)["model-index"][0]["results"]
    shown = name.replace("\x1b[31m", "").replace("\n", " ")
    assert result["dataset"]["name"] == result["metrics"][0]["type"] == shown
    assert "\x1b" not in text
    assert findings(text) == ([], [])


def test_a_record_of_nothing_but_a_model_has_a_card():
    text = card({"model": "dots/dot"}, About())
    assert metadata(text)["license"] == "unknown"
    assert "Not measured yet" in text
    assert "## Training" not in text
    assert "## Data" not in text
    assert findings(text) == ([], [])


def test_how_to_use_it_fits_where_it_is():
    local, listed, there = (card(RECORD, About(MODEL, **where)) for where in ({}, {"listed": True}, {"repo": "me/dot"}))
    assert 'zoo_core.load("./FOLDER")' in local
    assert "zoo pull dots/dot:first" in listed
    assert "hf://" not in local + listed
    assert "zoo pull hf://me/dot@REVISION" in there
    assert "hf download me/dot --local-dir dot" in there
    assert "dots/dot:first" not in there.partition("## Measured")[0]
    assert title({"model": "dots/dot"}) == "dot"


def test_what_the_training_started_from_and_took_is_told():
    record = changed(
        epochs=2,
        steps=1234,
        seconds=7500.0,
        seed=3,
        initial={"name": "dot:zero", "sha256": "a" * 64},
        hardware={"processor": "A processor", "cores": 1, "devices": ["A device"]},
        versions={"python": "3.11", "backend": "jax", "jax": "0.10"},
    )
    text = card(record, About(MODEL))
    assert "2 epochs, 1,234 steps, seed 3, 2.1 hours on A processor (1 core, A device)." in text
    assert f"It started from the weights of dot:zero, sha256 `{'a' * 64}`." in text
    assert "`DotRecipe` with data=dots, epochs=1, batch_size=8." in text
    assert "Computed by jax; versions: python 3.11, jax 0.10." in text
    assert "A dot: the smallest picture (A. Author, 1999)." in text


@pytest.mark.parametrize("folder", PRESETS, ids=lambda folder: folder.name)
def test_the_bundled_cards_are_current_valid_and_have_a_picture(folder):
    from huggingface_hub import ModelCard

    text = (folder / "README.md").read_text()
    record = json.loads((folder / "run.json").read_text())
    assert findings(text) == ([], [])
    data = ModelCard(text).data
    (measured,) = (result for result in data.eval_results if result.metric_type == "bits_per_dim")
    assert measured.metric_value == pytest.approx(record["evaluation"]["metrics"]["bits_per_dim"], rel=1e-5)
    assert data.datasets
    assert is_listed(folder)
    assert "![Drawn by the model](sample.png)" in text
    assert (folder / "sample.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.backend
def test_manifest_check_notices_a_stale_card_and_update_writes_it(only_fake_plugins, monkeypatch, capsys):
    checkout = only_fake_plugins.folder
    package = write_project(checkout) / "zoo_tiny"
    only_fake_plugins.names.append("tiny")
    preset = package / "presets" / "tiny-first"
    preset.mkdir(parents=True)
    (preset / "config.json").write_text('{"schema": 1, "model": "tiny/tiny", "arguments": {}}')
    (preset / "model.safetensors").write_bytes(b"weights")
    (preset / "run.json").write_text(json.dumps({"license": "MIT", "model": "tiny/tiny", "variant": "first"}))
    monkeypatch.chdir(checkout)
    shown = "plugins/tiny/zoo_tiny/presets/tiny-first/README.md"
    assert main(["manifest", "update"]) == 0
    assert f"{shown} is written" in capsys.readouterr().out
    written = (preset / "README.md").read_text()
    assert "zoo pull tiny:first" in written
    assert "A tiny model (" in written
    assert main(["manifest", "check"]) == 0
    (preset / "README.md").write_text("by hand")
    capsys.readouterr()
    assert main(["manifest", "check", "--json"]) == 1
    assert {"path": shown, "current": False} in json.loads(capsys.readouterr().out)
    assert main(["manifest", "update"]) == 0
    assert (preset / "README.md").read_text() == written
    (preset / "run.json").write_text(json.dumps({"license": "MIT", "model": "tiny/tiny", "data": "mnist"}))
    capsys.readouterr()
    assert main(["manifest", "update"]) == 1
    assert "run.json: malformed" in capsys.readouterr().err
