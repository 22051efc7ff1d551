"""Manifests and registries by strangers: refused by one error, or safe to show and given back as they were read."""

from __future__ import annotations

import json

from huggingface_hub.utils import validate_repo_id
from hypothesis import given

from tests.properties import bases, hostile
from tests.properties.profiles import examples
from tests.properties.shown import assert_shown_safely
from tests.properties.watch import attempt
from zoo_core import manifest as manifests
from zoo_core.errors import ManifestError
from zoo_core.manifest import Manifest

VALID = manifests.render(manifests.from_table(bases.MANIFEST, "valid"))
PIECES = hostile.encoded(
    (
        *hostile.TEXTS,
        *(
            "[[presets]]\n",
            "[presets.metrics]\n",
            "[[presets.files]]\n",
            "[models]\n",
            '"" = 1\n',
            "size = 0xFFFFFFFFFF\n",
        ),
        *("a.b.c = 1\n", "a = {b = [1, {c = 2}]}\n", "nan = nan\n", "x = 1e400\n", "x = 0x" + "f" * 6000 + "\n"),
        *(
            "when = 2020-01-01T00:00:00Z\n",
            "[" * 300,
            "{a=" * 300,
            "a." * 300,
            "'" * 50,
            '"\\u001b[31m"',
            '"\\U0010FFFF"',
        ),
    )
)


def assert_manifest_is_safe(manifest: Manifest) -> None:
    assert_shown_safely(manifest)
    assert manifests.parse(manifests.render(manifest), "again") == manifest
    json.dumps([number for preset in manifest.presets for number in preset.metrics.values()], allow_nan=False)
    for preset in manifest.presets:
        assert 0 <= preset.size <= len(preset.files) * 2**50
        assert not preset.folder.startswith(("/", "~", "."))
        assert ".." not in preset.folder.split("/")
        for file in preset.files:
            assert not {"/", "\\", ":", "\0"} & set(file.name)
            assert file.name.strip(".")
            assert file.name.isascii()
        if preset.repo:
            validate_repo_id(preset.repo)
    named = [*manifest.components, *manifest.models, *manifest.commands]
    assert all(item.name.isascii() for item in named)
    assert all(item.target.isascii() for item in (*manifest.components, *manifest.models))


@examples(deep=100_000)
@given(hostile.mutated((bases.MANIFEST, bases.MINIMAL_MANIFEST)))
def test_a_manifest_with_anything_in_any_place(table):
    manifest = attempt(ManifestError, manifests.from_table, table, "here/zoo-plugin.toml")
    if manifest is not None:
        assert_manifest_is_safe(manifest)


@examples(deep=70_000)
@given(hostile.spliced((VALID.encode(), b'schema = 1\nplugin = "tiny"\n'), PIECES))
def test_a_manifest_as_a_text_cut_and_pasted(content):
    manifest = attempt(ManifestError, manifests.parse, content.decode("utf-8", "replace"), "here/zoo-plugin.toml")
    if manifest is not None:
        assert_manifest_is_safe(manifest)
