"""What `zoo doctor` finds of plugins: how long each takes, what it registers, what is wrong with it."""

from __future__ import annotations

import re

import pytest

from tests.conftest import BROKEN, FakePlugins
from tests.doctor.support import finding, findings, listed


def test_a_sound_plugin_is_ok_and_what_it_registers_is_counted(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    found = finding("plugin tiny")
    assert (found.status, found.fix) == ("ok", "")
    assert re.fullmatch(r"zoo-tiny 1\.0, loads in \d+\.\d\d s, 1 layer, 1 model, 2 commands", found.detail)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_an_error_with_its_reason(kind: str, only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.add_broken(kind, "mishap")
    assert finding("plugin tiny").status == "ok"
    for found in findings("plugin mishap"):
        assert (found.status, BROKEN[kind][1] in found.detail) == ("error", True)
        assert "uninstall" in found.fix


def test_of_two_distributions_with_one_plugin_each_is_told_how_to_go(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", rival="another-tiny")
    fixes = sorted(found.fix.split()[-1] for found in findings("plugin tiny"))
    assert fixes == ["another-tiny", "zoo-tiny"]


def test_a_plugin_that_hangs_is_told(only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo_core import probing

    answers = probing.answers
    monkeypatch.setattr(probing, "answers", lambda names: answers(names, timeout=1.5))
    only_fake_plugins.add("hangs", plugin="import time\ntime.sleep(600)")
    only_fake_plugins.add("tiny")
    assert "it was still being loaded after 1.5 seconds" in finding("plugin hangs").detail
    assert finding("plugin tiny").status == "ok"


def test_heavy_slow_and_stale_plugins_are_warnings(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add_heavy()
    only_fake_plugins.add("bare", manifest=None)
    only_fake_plugins.add(
        "stale", plugin="from zoo_core import hookimpl\n@hookimpl\ndef register_layers(register): ..."
    )
    assert "loading it imports tensorflow" in finding("plugin heavy").detail
    for name in ("bare", "stale"):
        found = finding(f"plugin {name}")
        assert (found.status, found.fix) == ("warning", "ask its author to: zoo manifest update")
    only_fake_plugins.write("pyproject.toml", "")
    assert finding("plugin bare").fix == f"zoo manifest update {only_fake_plugins.folder}"


def test_plugins_that_were_not_tried_are_a_warning(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_fake_plugins.add("tiny")
    monkeypatch.setenv("ZOO_NO_PROBE", "1")
    found = finding("plugin tiny")
    assert (found.status, found.fix) == ("warning", "unset ZOO_NO_PROBE")


def test_a_later_version_in_the_registry_is_told(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    for version, status in (("0.9", "ok"), ("1.0", "ok"), ("1.1", "warning")):
        only_fake_plugins.write("../registry.toml", f"schema = 1\n{listed('tiny', version)}")
        assert finding("plugin tiny").status == status
    found = finding("plugin tiny")
    assert (found.detail, found.fix) == (
        "zoo-tiny 1.0: the registry has 1.1",
        "zoo uninstall tiny && zoo install tiny",
    )
    only_fake_plugins.write("../registry.toml", f"schema = 1\n{listed('tiny', '2.0', 'other-tiny')}")
    assert finding("plugin tiny").status == "ok"
