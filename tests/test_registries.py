"""The registries of components, and the package's own names."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest

import zoo_core
from tests.conftest import MANIFEST, PLUGIN, FakePlugins, by_name
from zoo_core import index, registries
from zoo_core.errors import AmbiguousNameError, NameNotFoundError, NotInstalledError, PluginError
from zoo_core.registries import Registry


def test_a_component_is_found_by_full_name_and_by_bare_name(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    layers = Registry("layers")
    assert layers["tiny/Doubler"] is layers["Doubler"]
    assert layers["tiny/Doubler"].__module__ == "zoo_tiny.parts"


def test_get_makes_an_instance_with_arguments(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    assert registries.layers.get("tiny/Doubler", units=3).units == 3


def test_listing_imports_none_of_the_plugins(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny")
    fake_plugins.add_broken("raises on import", "broken")
    code = (
        "import sys, zoo_core; names = list(zoo_core.layers);"
        "print([name for name in names if 'Doubler' in name], 'tiny/Doubler' in zoo_core.layers,"
        "'Nothing' in zoo_core.layers, [name for name in sys.modules if name in ('keras', 'pluggy', 'zoo_tiny')])"
    )
    ran = fake_plugins.python("-c", code, ZOO_NO_PROBE="1")
    assert (ran.stdout, ran.stderr) == ("['broken/Doubler', 'tiny/Doubler'] True False []\n", "")


def test_names_that_several_plugins_have_must_be_full(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.add("other")
    layers = Registry("layers")
    assert list(layers) == ["other/Doubler", "tiny/Doubler"]
    assert "Doubler" not in layers
    assert "other/Doubler" in layers
    assert repr(layers) == "<registry of layers: other/Doubler, tiny/Doubler>"
    with pytest.raises(AmbiguousNameError):
        layers["Doubler"]


def test_unknown_names_are_errors(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    assert 3 not in registries.layers
    assert list(registries.callbacks) == []
    with pytest.raises(NameNotFoundError, match="did you mean 'tiny/Doubler'"):
        registries.layers["tiny/Dobler"]


def test_what_the_manifest_has_and_the_hooks_lack_is_an_error(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", manifest=MANIFEST.replace('"Doubler"', '"Tripler"'))
    with pytest.raises(PluginError, match="its manifest is stale"):
        registries.layers["tiny/Tripler"]


def test_a_component_of_a_plugin_that_is_not_installed_says_how_to_install_it(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_fake_plugins.add("tiny")
    (plugin,) = index.installed_plugins()
    monkeypatch.setattr(index, "installed_plugins", lambda: ())
    monkeypatch.setattr(index, "available_plugins", lambda: (replace(plugin, installed=False),))
    assert list(registries.layers) == []
    with pytest.raises(NotInstalledError, match="zoo install tiny"):
        registries.layers["tiny/Doubler"]


def test_a_plugin_without_a_manifest_is_probed_and_works(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", manifest=None)
    assert registries.layers["Doubler"].__name__ == "Doubler"
    assert list(registries.layers) == ["tiny/Doubler"]
    assert by_name(index.plugins())["tiny"].slow


def test_custom_objects_are_a_plugin_s_classes_under_keras_names(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add(
        "tiny", plugin=f"{PLUGIN}\n@hookimpl\ndef register_callbacks(register):\n    register('C', dict)"
    )
    objects = zoo_core.custom_objects("tiny")
    assert {name: value.__name__ for name, value in objects.items()} == {"tiny>Doubler": "Doubler", "tiny>Tiny": "Tiny"}


def test_the_package_is_light_until_its_names_are_used() -> None:
    assert set(dir(zoo_core)) >= {"layers", "load", "pull", "hookimpl", "__version__"}
    assert zoo_core.layers is registries.layers
    assert zoo_core.errors.ZooError
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = zoo_core.nothing


@pytest.mark.parametrize("name", sorted(zoo_core.__all__))
def test_every_name_of_the_package_is_there_and_is_no_module(name: str) -> None:
    for module in ("zoo_core.pulling", "zoo_core.loading", "zoo_core.training", "zoo_core.listing"):
        importlib.import_module(module)
    value = getattr(zoo_core, name)
    assert name == "errors" or type(value).__name__ != "module"
