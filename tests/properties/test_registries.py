"""Registries and lock files by strangers: refused by one error, or safe to show and given back as they were read."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.properties import bases, hostile
from tests.properties.profiles import examples
from tests.properties.shown import assert_shown_safely
from tests.properties.test_manifests import PIECES, assert_manifest_is_safe
from tests.properties.watch import attempt
from zoo_core import lock_file, registry_entries, registry_file
from zoo_core import manifest as manifests
from zoo_core.errors import LockError, RegistryError
from zoo_core.lock_file import Lock, LockedPlugin, LockedPreset
from zoo_core.records import File, Manifest, Plugin, Source
from zoo_core.toml_files import parse

REGISTRY = "schema = 1\n" + "\n".join(
    registry_entries.render(Plugin(manifest.plugin, manifest=manifest, **facts))
    for manifest, facts in (
        (
            manifests.from_table(bases.MANIFEST, "valid"),
            {
                "distribution": "zoo-glow",
                "version": "1.0",
                "summary": "Flows",
                "requires_core": ">=0.1,<0.9",
                "source": Source("path", "plugins/glow"),
            },
        ),
        (
            manifests.from_table(bases.MINIMAL_MANIFEST, "valid"),
            {
                "distribution": "zoo-tiny",
                "version": "2!0.1a1",
                "source": Source("wheel", "https://example.org/tiny-0.1a1-py3-none-any.whl", bases.SHA256),
            },
        ),
        (
            Manifest("other"),
            {"distribution": "other", "version": "1", "source": Source("index", "https://example.org/simple/")},
        ),
    )
)
MORE_PIECES = hostile.encoded(
    (
        *('path = "../outside"\n', 'path = "/etc"\n', 'wheel = "http://example.org/x.whl"\n', 'index = "file:///x"\n'),
        *('"https://me:secret@example.org/x"', '"https://example.org@evil.example"', '"https://[::1"', '"https://"'),
        *(
            '">=0.1,<"',
            '"' + ">=1," * 200 + '"',
            '"==1.*"',
            '"~=0.1; extra"',
            '"<=' + "9" * 900 + '"',
            '"-r x"',
            '"--pre"',
        ),
        *('plugin = "glow"\n', "[[plugins]]\n", "[plugins.source]\n", "[[plugins.models]]\n"),
    )
)
FILES = (File("config.json", 3, bases.SHA256), File("model.safetensors", 10**9, bases.SHA256))
LOCK = Lock(
    "0.2.0",
    (
        LockedPlugin("glow", "zoo-glow", "0.2.0"),
        LockedPlugin("tiny", "zoo-tiny", "1.0", Source("wheel", "https://example.org/tiny-1.0.whl", bases.SHA256)),
    ),
    (
        LockedPreset("glow/glow:mnist", "glow", FILES),
        LockedPreset(f"hf://some-one/tiny@{bases.REVISION}", "tiny", FILES, "some-one/tiny", bases.REVISION),
    ),
)


def assert_registry_is_safe(plugins):
    assert_shown_safely(plugins)
    again = "schema = 1\n" + "\n".join(map(registry_entries.render, plugins))
    assert registry_file.parse(again.encode(), "again") == plugins
    for plugin in plugins:
        assert_manifest_is_safe(plugin.manifest)
        if plugin.source.kind == "path":
            assert ".." not in plugin.source.value.split("/")
        else:
            assert plugin.source.value.startswith(("https://", "http://localhost", "http://127.0.0.1", "http://[::1]"))
            assert "@" not in plugin.source.value.partition("://")[2].partition("/")[0]
            assert "#" not in plugin.source.value


@examples(deep=70_000)
@given(hostile.mutated((parse(REGISTRY, "valid"),)))
def test_a_registry_with_anything_in_any_place(table):
    plugins = attempt(RegistryError, registry_file.from_table, table, "here/registry.toml")
    if plugins is not None:
        assert_registry_is_safe(plugins)


@examples(deep=60_000)
@given(hostile.spliced((REGISTRY.encode(),), (*PIECES, *MORE_PIECES)))
def test_a_registry_cut_and_pasted(content):
    plugins = attempt(RegistryError, registry_file.parse, content, "here/registry.toml")
    if plugins is not None:
        assert_registry_is_safe(plugins)


@pytest.fixture(scope="module")
def lock_path(tmp_path_factory):
    return tmp_path_factory.mktemp("lock") / "zoo.lock"


@examples(deep=40_000)
@given(hostile.spliced((lock_file.render(LOCK).encode(), b'schema = 1\ncore = "1"\n'), (*PIECES, *MORE_PIECES)))
def test_a_lock_file_cut_and_pasted(lock_path, content):
    lock_path.write_bytes(content)
    lock = attempt(LockError, lock_file.read, lock_path, folder=lock_path.parent)
    if lock is not None:
        assert_shown_safely(lock)
        lock_path.write_text(lock_file.render(lock), encoding="utf-8")
        assert lock_file.read(lock_path) == lock
