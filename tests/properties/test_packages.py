"""Wheels and the metadata of installed distributions, by strangers: read, never run, and shown safely."""

from __future__ import annotations

import io
import sys
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import hostile
from tests.properties.profiles import examples
from tests.properties.shown import assert_shown_safely
from tests.properties.watch import attempt
from zoo_core import memory, packages
from zoo_core.distributions import core_range
from zoo_core.errors import InstallError
from zoo_core.installed import installed_plugins, why_incompatible

METADATA = b"""\
Metadata-Version: 2.4
Name: zoo-toy
Version: 1.0
Summary: A toy
Requires-Dist: zoo-core[jax]>=0.1,<9 ; python_version > "3"
Requires-Dist: numpy

A long description.
"""
ENTRY_POINTS = b"[console_scripts]\ntoy = zoo_toy:main\n\n[zoo.plugins]\ntoy = zoo_toy.plugin\n"
PIECES = hostile.encoded(
    (
        *hostile.TEXTS,
        *(
            "Name: ",
            "Version: ",
            "Summary: \x1b]0;x\x07\n",
            "\n\n",
            "\r",
            "\x0c",
            "Requires-Dist: zoo-core>=",
            ":",
            " " * 500,
        ),
        *(
            "Requires-Dist: zoo-core" + " " * 2000 + "x\n",
            "zoo-core[" * 50,
            "(>=1",
            ">=1,",
            "==1.*",
            "~=0.1",
            "!=",
            ";" * 50,
        ),
        *("[zoo.plugins]\n", "x = os\n", "x = ..plugin\n", "con = zoo_toy\n", "list = zoo_toy\n", "=", "[", "]", "#"),
        *(
            "extra == 'x'",
            'python_version > "abc"',
            "sys_platform < 5",
            "and or ()",
            "== ===",
            "os_name in 'x'",
            '"' * 200,
        ),
        *("\x1b[2J = zoo_toy\n", "a\x1b[31m = b\x1b[31m\n", "toy = /etc/passwd\n", "toy = zoo_toy.plugin:x\n"),
    )
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder that is all there is to import from, with one distribution in it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "zoo_toy").mkdir()
    (folder / "zoo_toy" / "__init__.py").write_text("raise SystemExit('it was imported')")
    (folder / "zoo_toy-1.0.dist-info").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_HOME", str(folder / "home"))
        patch.setattr(memory, "save", lambda *_: None)
        yield folder


@examples(deep=30_000)
@given(hostile.spliced((METADATA,), PIECES), hostile.spliced((ENTRY_POINTS,), PIECES))
def test_what_is_installed_is_listed_whatever_its_metadata_says(site, metadata, entry_points):
    info = site / "zoo_toy-1.0.dist-info"
    (info / "METADATA").write_bytes(metadata)
    (info / "entry_points.txt").write_bytes(entry_points)
    before = sys.path[:]
    sys.path[:] = [str(site)]
    try:
        plugins = attempt(InstallError, installed_plugins, folder=site)
    finally:
        sys.path[:] = before
    for plugin in plugins:
        assert_shown_safely((plugin.name, plugin.distribution, plugin.version, plugin.summary, plugin.requires_core))
        assert_shown_safely((plugin.module, plugin.broken or ""))
        assert len(plugin.summary) <= 1000


def wheel(metadata: bytes, entry_points: bytes) -> bytes:
    """A wheel file with nothing else in it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("zoo_toy-1.0.dist-info/METADATA", metadata)
        archive.writestr("zoo_toy-1.0.dist-info/entry_points.txt", entry_points)
    return content.getvalue()


def _read_wheel(path, content):
    path.write_bytes(content)
    package = attempt(InstallError, packages.read, path, folder=path.parent)
    if package is not None:
        assert_shown_safely((package.distribution, package.version, package.summary, package.plugins))
        attempt(InstallError, lambda: package.needed)
        assert isinstance(package.fits, bool)


@examples(deep=15_000)
@given(hostile.spliced((METADATA,), PIECES), hostile.spliced((ENTRY_POINTS,), PIECES))
def test_a_wheel_is_described_whatever_its_metadata_says(site, metadata, entry_points):
    _read_wheel(site / "zoo_toy-1.0-py3-none-any.whl", wheel(metadata, entry_points))


@examples(deep=15_000)
@given(
    hostile.spliced((wheel(METADATA, ENTRY_POINTS),), (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"\xff\xff\xff\xff", b"\0" * 8))
)
def test_a_damaged_wheel_is_refused_or_described(site, content):
    _read_wheel(site / "zoo_toy-1.0-py3-none-any.whl", content)


WORDS = (
    "python_version",
    "os_name",
    "extra",
    "extras",
    "sys_platform",
    "and",
    "or",
    "not in",
    "(",
    ")",
    '"3.11"',
    "'x'",
)
MARKERS = st.lists(
    st.one_of(st.sampled_from((*WORDS, "==", "<", ">=", "~=", "===", "in", "!=")), hostile.texts), max_size=6
).map(" ".join)
COMPARISONS = st.tuples(st.sampled_from(WORDS[:5]), st.sampled_from(("==", "<", "~=", "===", "in")), hostile.texts).map(
    lambda parts: f'{parts[0]} {parts[1]} "{parts[2]}"'
)


@examples(deep=20_000)
@given(st.one_of(MARKERS, COMPARISONS))
def test_what_a_package_needs_is_said_or_said_to_be_malformed(site, marker):
    package = packages.Package(site, "zoo-toy", "1.0", {}, (f"numpy>=1 ; {marker}",))
    attempt(InstallError, lambda: package.needed)


@examples(deep=20_000)
@given(st.lists(st.one_of(hostile.texts, st.sampled_from(("zoo-core", ">=0.1", "<2", " ", ",", "[x]", ";", "==1.*")))))
def test_a_requirement_of_the_core_is_met_or_said_not_to_be(parts):
    required = attempt(InstallError, core_range, "".join(parts))
    if required is not None:
        attempt(InstallError, why_incompatible, required)
