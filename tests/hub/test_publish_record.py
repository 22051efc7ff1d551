"""What `--record` writes down, and the manifest that follows from it; `zoo publish` in this process."""

from __future__ import annotations

import errno
import json

import numpy as np
import pytest

import zoo_core
from tests.hub.client import OWNER
from tests.hub.plugin import change_json, save_dot
from tests.hub.publishing import NAMES, REPO, publish
from zoo_core import manifest, publication, published, snapshot
from zoo_core.cli.app import run
from zoo_core.errors import PresetError, PublishError, UsageError
from zoo_core.publication import prepare

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("trusted_hub")]


class TestRecording:
    @pytest.fixture
    def package(self, dots, only_fake_plugins):
        return only_fake_plugins.folder / "zoo_dots"

    @pytest.fixture
    def preset(self, dots, package):
        return save_dot(dots, package / "presets" / "dot-first")

    def record(self, preset):
        prepared, outcome = publish(preset)
        written = publication.record(prepared, outcome.pin, outcome.picture)
        return outcome.pin, written

    def test_the_pin_goes_into_the_folder_and_the_manifest(self, package, preset, trusted_hub):
        pin, written = self.record(preset)
        assert written == [preset / "hub.json", package / "zoo-plugin.toml"]
        assert published.read(preset) == pin
        (listed,) = manifest.read(package / "zoo-plugin.toml").presets
        assert (listed.repo, listed.revision, listed.folder) == (REPO, pin.revision, "presets/dot-first")
        assert published.same_files(listed.files, pin.files)
        assert snapshot.stale_cards("dots", package) == {}
        assert manifest.build("dots", package) == manifest.read(package / "zoo-plugin.toml")
        _, again = publish(preset)
        assert not again.committed

    def test_the_pin_is_gone_once_a_file_changes_and_the_card_is_stale(self, package, preset, trusted_hub):
        self.record(preset)
        change_json(preset / "run.json", license="MIT")
        (listed,) = manifest.build("dots", package).presets
        assert (listed.repo, listed.revision, listed.license) == ("", "", "MIT")
        ((card, text),) = snapshot.stale_cards("dots", package).items()
        assert card == preset / "README.md"
        assert "license: mit" in text

    def test_weights_may_be_left_to_the_hub(self, package, preset, trusted_hub, tmp_path):
        pin, _ = self.record(preset)
        for name in ("model.safetensors", "README.md", "sample.png"):
            (preset / name).unlink()
        made = manifest.build("dots", package)
        (listed,) = made.presets
        assert (listed.folder, listed.repo, listed.revision) == ("", REPO, pin.revision)
        assert published.same_files(listed.files, pin.files)
        assert listed.metrics["loss"] == 0.25
        (package / "zoo-plugin.toml").write_text(manifest.render(made))
        model = zoo_core.load("dot:first")
        assert np.asarray(model(np.array([[2.0, 1.0]], "float32"))).item() == 2 * 0.5 - 1.5 + 0.25
        assert snapshot.stale_cards("dots", package) == {}
        prepared, again = publish("dot:first")
        assert not again.committed
        with pytest.raises(PublishError, match="in the Hub's cache: nothing to record it in"):
            publication.check_recordable(prepared)

    def test_weights_that_are_nowhere_or_elsewhere_are_refused(self, package, preset, trusted_hub):
        self.record(preset)
        (preset / "model.safetensors").unlink()
        change_json(preset / "config.json", arguments={"units": 2})
        with pytest.raises(PresetError, match="config.json: not the one that was published"):
            manifest.build("dots", package)
        (preset / "hub.json").unlink()
        with pytest.raises(PresetError, match=r"neither model.safetensors nor a hub.json"):
            manifest.build("dots", package)

    def test_a_folder_that_cannot_be_written_is_met_before_anything_is_sent(self, preset, trusted_hub, monkeypatch):
        monkeypatch.setattr(publication.os, "access", lambda path, mode: False)
        with pytest.raises(PublishError, match="cannot be written: not permitted"):
            publication.check_recordable(prepare(preset, REPO))
        assert trusted_hub.requests() == []

    def test_what_cannot_be_recorded_is_published_nevertheless_and_its_pin_told(self, preset, trusted_hub, monkeypatch):
        def fail(*_):
            raise PermissionError(errno.EACCES, "Permission denied", "/some/zoo-plugin.toml")

        monkeypatch.setattr("zoo_core.files.replace_text", fail)
        told = rf"{REPO} is published at [0-9a-f]{{40}}, but /some/zoo-plugin.toml cannot be written: Permission denied"
        with pytest.raises(PublishError, match=told):
            self.record(preset)


class TestCommand:
    """`zoo publish`, in this process."""

    def test_dry_run_shows_every_file_and_the_card(self, preset_folder, trusted_hub, capsys):
        assert run(["publish", str(preset_folder), "--repo", REPO, "--dry-run"]) == 0
        listed, _, card = capsys.readouterr().out.partition("\n\n")
        assert [line.split()[0] for line in listed.splitlines()] == ["FILE", *NAMES]
        assert card == prepare(preset_folder, REPO).card
        assert run(["publish", str(preset_folder), "--repo", REPO, "--dry-run", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["card"] == card
        assert trusted_hub.requests() == []

    def test_nothing_is_sent_unless_somebody_agrees(self, preset_folder, trusted_hub, capsys):
        with pytest.raises(UsageError, match=r"there is no terminal to ask on \(add --yes\)"):
            run(["publish", str(preset_folder), "--repo", REPO])
        assert f"publish dot:first as {REPO} (public if it is new) at {trusted_hub.address}:" in capsys.readouterr().err
        assert trusted_hub.requests() == []

    def test_the_pin_is_printed_and_recorded(self, preset_folder, trusted_hub, capsys):
        assert run(["publish", str(preset_folder), "--repo", REPO, "--yes", "--record"]) == 0
        pin = published.read(preset_folder)
        printed = capsys.readouterr()
        assert printed.out.splitlines()[0] == f"{REPO}@{pin.revision}"
        assert printed.out.splitlines()[-1] == f"recorded in {preset_folder / 'hub.json'}"
        assert all(f"{file.size}" in printed.out and file.sha256 in printed.out for file in pin.files)
        assert "is published, read back and compared" in printed.err
        assert run(["publish", str(preset_folder), "--repo", REPO, "--yes", "--json"]) == 0
        printed = capsys.readouterr()
        assert json.loads(printed.out)["committed"] is False
        assert OWNER not in printed.out + printed.err
