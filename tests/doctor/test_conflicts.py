"""What `zoo doctor` finds of names and requirements that are at odds."""

from __future__ import annotations

import pytest

from tests.conftest import FakePlugins
from tests.doctor.support import finding, findings, listed, write_copies
from zoo_core.doctor import Finding, requirements


def test_a_name_that_two_registries_have_is_told(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.write("../registry.toml", f"schema = 1\n{listed('tiny')}")
    write_copies(acme=listed("tiny", distribution="acme-tiny"), toys=listed("bear"))
    (found,) = (each for each in findings("registry acme") if each.section == "conflicts")
    assert (found.status, found.fix) == ("warning", "zoo registry remove acme")
    assert found.detail == (
        "the registry 'zoo' has zoo-tiny as the plugin 'tiny', "
        "so that 'acme' is not asked for acme-tiny as the plugin 'tiny'"
    )
    assert not findings("names")


def test_a_name_that_looks_like_another_is_told(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.write("../registry.toml", f"schema = 1\n{listed('glow')}")
    assert finding("names").status == "ok"
    write_copies(acme=listed("g1ow"))
    found = findings("name g1ow")[0]
    assert (found.status, found.fix) == ("warning", "zoo registry remove acme")
    assert "'g1ow' looks like 'glow' of the plugin 'glow'" in found.detail
    only_fake_plugins.add("gl0w")
    found = findings("name gl0w")[0]
    assert "zoo-gl0w, which is installed: 'gl0w' looks like 'glow'" in found.detail
    assert found.fix.startswith("zoo uninstall gl0w")


@pytest.fixture
def needs(only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> FakePlugins:
    """What plugins need is compared with numpy 2.1 alone, which is installed."""
    monkeypatch.setattr(requirements, "version_of", {"numpy": "2.1", "zoo-core": "0.2.0"}.get)
    return only_fake_plugins


def test_a_requirement_that_is_not_met_is_an_error(needs: FakePlugins) -> None:
    needs.add("sound", requires="numpy>=2")
    needs.add("other", requires="numpy<1; python_version < '3'")
    needs.add("extra", requires="nothing; extra == 'dev'")
    assert errors_of("sound", "other", "extra") == []
    needs.add("tiny", requires="numpy>=99")
    needs.add("lonely", requires="nowhere>=1,<2")
    lonely, tiny = errors_of("tiny", "lonely")
    assert tiny.detail == "zoo-tiny 1.0 needs numpy>=99, but numpy 2.1 is installed"
    assert tiny.fix.endswith(" install 'numpy>=99,>=2,>=2.0'")
    assert lonely.detail == "zoo-lonely 1.0 needs nowhere<2,>=1, but nowhere is not installed"
    assert lonely.fix.endswith(" install 'nowhere<2,>=1'")


@pytest.mark.parametrize(
    ("one", "other", "conflict"),
    [
        ("numpy<2", "numpy>=2", True),
        ("numpy<2", "numpy>=1.9", False),
        ("numpy>2.1", "numpy<2.2", False),
        ("numpy==1.5", "numpy!=1.5", True),
        ("numpy==1.*", "numpy>=1.4", False),
        ("numpy==1.*", "numpy~=2.0", True),
        ("numpy<1", "numpy", False),
    ],
)
def test_requirements_that_no_version_meets_are_told_apart(
    one: str, other: str, conflict: bool, needs: FakePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "_core", list)
    needs.add("one", requires=one)
    needs.add("other", requires=other)
    monkeypatch.setattr(requirements, "version_of", lambda name: None)
    found = errors_of("one", "other")
    assert ["suits them" in each.detail for each in found] == [conflict] * 2
    if conflict:
        assert found[0].fix == "zoo uninstall one, or: zoo uninstall other"


def errors_of(*plugins: str) -> list[Finding]:
    starts = tuple(f"zoo-{plugin} " for plugin in plugins)
    return [found for found in requirements.findings() if found.status == "error" and found.detail.startswith(starts)]


def test_a_plugin_that_wants_another_core_is_told_once(needs: FakePlugins) -> None:
    needs.add("tiny", requires="zoo-core>=99")
    assert errors_of("tiny") == []
    assert finding("plugin tiny").status == "error"
