"""Publishing to the test Hub by the real client: one commit with everything, and none where nothing changed."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tests.hub.cards import findings
from tests.hub.plugin import change_json, save_dot
from tests.hub.publishing import NAMES, REPO, commits, publish, served
from zoo_core import publication, published
from zoo_core.errors import PublishError
from zoo_core.publication import prepare

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("trusted_hub")]


def test_one_commit_has_everything_and_a_second_publishing_makes_none(preset_folder, trusted_hub):
    _, first = publish(preset_folder, message="the first")
    assert (first.created, first.committed, first.private) == (True, True, False)
    assert [file.name for file in first.pin.files] == NAMES
    for file in first.pin.files:
        content = served(trusted_hub, first.pin.revision, file.name)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)
    assert (
        served(trusted_hub, first.pin.revision, "model.safetensors")
        == (preset_folder / "model.safetensors").read_bytes()
    )
    assert commits(trusted_hub) == [f"POST /api/models/{REPO}/commit/main"]
    _, second = publish(preset_folder)
    assert second.pin == first.pin
    assert (second.created, second.committed) == (False, False)
    assert len(commits(trusted_hub)) == 1


def test_what_changed_is_a_second_commit_upon_the_first(dots, preset_folder, trusted_hub):
    _, first = publish(preset_folder)
    change_json(preset_folder / "run.json", license="MIT")
    _, second = publish(preset_folder)
    assert (second.created, second.committed) == (False, True)
    assert second.pin.revision != first.pin.revision
    changed = {new.name for old, new in zip(first.pin.files, second.pin.files, strict=True) if old.sha256 != new.sha256}
    assert changed == {"README.md", "run.json"}


def test_the_card_is_valid_and_says_what_was_measured(preset_folder, trusted_hub):
    noted = []
    prepared, _ = publish(preset_folder, note=noted.append)
    assert findings(prepared.card) == ([], [])
    assert noted == []
    for text in (
        "license: apache-2.0",
        "pipeline_tag: unconditional-image-generation",
        "library_name: keras",
        "value: 0.25",
        "| loss | 0.2500 | 0.1250 |",
        "loss_of_nothing",
        "![Drawn by the model](sample.png)",
        f"hf://{REPO}@REVISION",
        "**CC0-1.0**",
        "https://arxiv.org/abs/0000.00001",
    ):
        assert text in prepared.card


def test_dry_run_needs_no_token_and_asks_nothing_of_the_hub(preset_folder, trusted_hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    prepared = prepare(preset_folder, REPO)
    assert [file.name for file in prepared.files] == NAMES
    assert trusted_hub.requests() == []
    assert sorted(path.name for path in preset_folder.iterdir()) == ["config.json", "model.safetensors", "run.json"]


def test_private_is_private(preset_folder, trusted_hub):
    _, outcome = publish(preset_folder, private=True)
    assert outcome.private
    log = [entry for entry in trusted_hub.log() if entry["path"] == "/api/repos/create"]
    assert len(log) == 1
    with pytest.raises(Exception, match="401"):
        served(trusted_hub, outcome.pin.revision, "config.json")


def test_private_is_not_made_public_nor_the_other_way_round(preset_folder, trusted_hub):
    publish(preset_folder)
    with pytest.raises(PublishError, match="is there already, and public"):
        publish(preset_folder, private=True)
    assert len(commits(trusted_hub)) == 1
    publish(preset_folder, "toys/secret", private=True)
    _, again = publish(preset_folder, "toys/secret")
    assert again.private


def test_a_picture_that_was_drawn_anew_is_no_reason_for_a_commit(preset_folder, trusted_hub):
    publish(preset_folder)
    revision = trusted_hub.add(REPO, {"sample.png": b"\x89PNG drawn on another machine"})
    prepared, outcome = publish(preset_folder)
    assert not outcome.committed
    assert outcome.pin.revision == revision
    written = publication.record(prepared, outcome.pin, outcome.picture)
    assert written == [preset_folder / "hub.json"]
    assert (preset_folder / "sample.png").read_bytes() == b"\x89PNG drawn on another machine"
    assert published.same_files(outcome.pin.files, published.read(preset_folder).files)


def test_a_model_that_draws_nothing_or_fails_to_is_published_without_a_picture(
    dots, tmp_path, trusted_hub, monkeypatch
):
    monkeypatch.setattr(dots.DotRecipe, "sample", lambda *_: None)
    prepared = prepare(save_dot(dots, tmp_path / "one"), REPO)
    assert "sample.png" not in [file.name for file in prepared.files]
    assert "sample.png" not in prepared.card
    noted = []
    monkeypatch.setattr(dots.DotRecipe, "sample", lambda *_: 1 / 0)
    prepare(save_dot(dots, tmp_path / "two"), REPO, note=noted.append)
    assert noted == ["no picture: ZeroDivisionError: division by zero"]


def test_a_run_folder_is_published_without_what_the_training_left(dots, tmp_path, trusted_hub):
    from zoo_core.evaluation import evaluate
    from zoo_core.training import train

    random = np.random.default_rng(0)
    examples = {name: random.normal(size=(size, 2)).astype("float32") for name, size in (("train", 24), ("test", 8))}
    labels = {f"y_{name}": array.sum(axis=1) for name, array in examples.items()}
    np.savez(tmp_path / "sums.npz", **{f"x_{name}": array for name, array in examples.items()}, **labels)
    trained = tmp_path / "run"
    train("dots/dot", tmp_path / "sums.npz", {}, out=trained, progress="none")
    evaluate(trained, tmp_path / "sums.npz", record=True)
    prepared, outcome = publish(trained)
    assert [file.name for file in outcome.pin.files] == NAMES
    assert {"checkpoint", "history.jsonl", "samples"} <= {path.name for path in trained.iterdir()}
    assert "| loss | 0.2500 | 0.1250 |" in prepared.card
    assert "1 epoch, 3 steps" in prepared.card
    assert "zoo pull dot" not in prepared.card
    assert str(tmp_path) not in prepared.card + (trained / "run.json").read_text()
    assert publication.record(prepared, outcome.pin, outcome.picture) == [trained / "hub.json"]
