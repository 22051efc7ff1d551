"""The documentation is true: its code runs, its commands exist, its links lead somewhere, its tables are current."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import zoo_addons
import zoo_core
from docs import tables
from tests import walk
from tests.conftest import BROKEN, FakePlugins
from tests.pages import Block, blocks, section, without_blocks, words_of
from zoo_core import host, index, scaffold
from zoo_core.cli import main
from zoo_core.cli.app import Root
from zoo_metric_learning import catalogue as metric_learning

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    str(path.relative_to(CHECKOUT))
    for pattern in ("README*.md", "docs/*.md", "plugins/*/README.md")
    for path in CHECKOUT.glob(pattern)
)

# The plugins that pages make: the one of the README is made below, that of docs/plugins.md by tests/walk.py.
EXAMPLES = ("maxout", walk.PLUGIN)

_INLINE = re.compile(r"`(zoo [^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_LOADED = re.compile(r"""(?:load|pull|evaluate)\("([a-z][\w:/-]*)""")


def text_of(page: str) -> str:
    return (CHECKOUT / page).read_text(encoding="utf-8")


def console_lines(text: str) -> list[str]:
    return [shlex.join(words) for block in blocks(text, "console") for words in map(words_of, block.text.splitlines())]


def prose(text: str) -> str:
    """A page without its code."""
    return re.sub(r"`[^`\n]+`", "", without_blocks(text))


def commands(page: str) -> list[str]:
    text = text_of(page)
    typed = [line for line in console_lines(text) if line.startswith("zoo ")]
    return [*typed, *_INLINE.findall(without_blocks(text))]


# Pages


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_the_docs_is_one(page: str) -> None:
    found = commands(page)
    assert found
    for command in found:
        words = words_of(command)[1:]
        if words[0] not in EXAMPLES:
            check_words(words, command)


def check_words(words: list[str], command: str) -> None:
    """Parse the words as `zoo` would, and run nothing; names on their own, such as `zoo pull`, need no arguments."""
    app = typer.Typer(cls=Root)
    app.callback()(lambda: None)
    group, parent, name = get_command(app), None, "zoo"
    while hasattr(group, "resolve_command") and words and not words[0].startswith("-"):
        parent = group.make_context(name, words, parent=parent)
        name, group, words = group.resolve_command(parent, words)
    assert group is not None, command
    if hasattr(group, "resolve_command"):
        assert words in ([], ["--help"], ["--version"]), command
    elif words not in ([], ["--help"]):
        group.make_context(name, words, parent=parent)


def test_a_command_that_is_none_is_found_out() -> None:
    for wrong in ("zoo pul glow", "zoo pull glow --please", "zoo glow draw", "zoo evaluate glow --limit many"):
        with pytest.raises((typer.TyperException, zoo_core.errors.ZooError)):
            check_words(words_of(wrong)[1:], wrong)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    here = (CHECKOUT / page).parent
    for link in _LINK.findall(prose(text_of(page))):
        if link.startswith("https://"):
            continue
        path, _, heading = link.partition("#")
        target = (here / path).resolve() if path else CHECKOUT / page
        assert target.is_relative_to(CHECKOUT), link
        assert target.is_file(), link
        assert not heading or heading in headings(target), link


def headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", without_blocks(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_tables_are_current() -> None:
    assert list(tables.stale()) == [], "python docs/tables.py"


def test_every_setting_is_explained() -> None:
    (table,) = re.findall(r"<!-- settings:begin -->(.*?)<!-- settings:end -->", text_of("docs/glow.md"), re.DOTALL)
    explained = text_of("docs/glow.md").partition("<!-- settings:end -->")[2]
    for name in re.findall(r"^\| `(\w+)`", table, re.MULTILINE):
        assert name == "data" or f"`{name}`" in explained, name


def test_every_layer_is_described() -> None:
    described = text_of("docs/glow.md")
    for name in (*zoo_core.layers, *zoo_core.losses, *zoo_core.callbacks):
        if name.startswith("glow/"):
            assert f"`{name.removeprefix('glow/')}`" in described, name


def test_every_part_for_any_model_is_shown_in_use() -> None:
    used = set(re.findall(r"\b(z[am]\.\w+)", text_of("docs/components.md")))
    parts = {f"za.{name}" for name in zoo_addons.__all__}
    # What belongs to the models has a page of its own.
    parts |= {f"zm.{name}" for name, home in metric_learning.HOMES.items() if not home.startswith("models.")}
    assert sorted(parts - used) == []


def test_every_kind_of_broken_plugin_is_explained() -> None:
    explained = section(text_of("docs/plugins.md"), "When something is wrong")
    for kind, (_, reason) in BROKEN.items():
        assert reason in explained, kind


# The two READMEs


def test_the_readmes_show_the_same_code() -> None:
    english, chinese = text_of("README.md"), text_of("README.zh-CN.md")
    assert console_lines(english) == console_lines(chinese)
    for language in ("python", "toml"):
        pairs = zip(blocks(english, language), blocks(chinese, language), strict=True)
        for ours, theirs in pairs:
            assert (ours.file, meaning(ours)) == (theirs.file, meaning(theirs))
    assert set(_INLINE.findall(english)) <= set(_INLINE.findall(chinese))


def meaning(block: Block) -> str:
    """What is left of a block without comments and docstrings, which are translated."""
    if block.language != "python":
        return block.text
    tree = ast.parse(block.text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            del node.body[0]
    return ast.dump(tree)


def test_the_readmes_show_the_same_figures() -> None:
    english, chinese = (
        re.findall(r"<!-- models:begin -->.*?<!-- models:end -->", text_of(page), re.DOTALL)
        for page in ("README.md", "README.zh-CN.md")
    )
    assert len(english) == 1
    assert [figures(table) for table in english] == [figures(table) for table in chinese]


def figures(table: str) -> list[str]:
    return re.findall(r"`[^`]+`|\d[\d.,]*", table)


# Code


def has_presets(*names: str) -> bool:
    try:
        return all(index.find_preset(name)[2] is not None for name in names)
    except zoo_core.errors.NameNotFoundError:
        return False


@pytest.mark.backend
@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("docs/plugins.md", "README.zh-CN.md")])
def test_python_in_the_docs_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = [block.text for block in blocks(text_of(page), "python") if not block.file]
    presets = _LOADED.findall("".join(code))
    assert has_presets(*presets), f"not bundled: one of {presets}"
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for text in code:
        exec(compile(text, page, "exec"), namespace)


class Reader:
    """Does what a page says: writes its files, types its commands, runs its Python."""

    def __init__(self, folder: Path, plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.plugins = plugins
        self.monkeypatch = monkeypatch
        monkeypatch.chdir(folder)

    def follow(self, text: str) -> None:
        for block in blocks(text):
            if block.file:
                self.write(block)
            elif block.language == "console":
                for line in block.text.splitlines():
                    self.type(line)
            else:
                self.forget()
                exec(compile(block.text, "docs", "exec"), {"__name__": "__main__"})

    def write(self, block: Block) -> None:
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        if path.name == "pyproject.toml":
            self.install(path.parent, tomllib.loads(block.text)["project"])
        elif not (path.parent / "__init__.py").exists():
            (path.parent / "__init__.py").touch()

    def install(self, project: Path, table: dict) -> None:
        """What `zoo install` does for a folder, without the minutes of pip: metadata, and the folder on the path."""
        ((name, entry),) = table["entry-points"]["zoo.plugins"].items()
        requires = next(line for line in table["dependencies"] if line.startswith("zoo-core"))
        self.plugins.names.append(name)
        self.plugins._add_metadata(table["name"], name, entry, table["description"], table["version"], requires)
        self.monkeypatch.syspath_prepend(str(project))

    def type(self, line: str) -> None:
        words = words_of(line)
        if words[0] != "zoo":
            subprocess.run(["bash", "-c", line], cwd=self.folder, check=True)
        elif words[1] not in ("install", "uninstall"):
            self.forget()
            assert main(words[1:]) == 0, line

    def forget(self) -> None:
        """Begin as a new process does."""
        host.outcome.cache_clear()
        importlib.invalidate_caches()
        for module in [name for name in sys.modules if name.partition(".")[0] == "zoo_maxout"]:
            del sys.modules[module]


@pytest.fixture
def reader(tmp_path: Path, only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> Reader:
    return Reader(tmp_path, only_fake_plugins, monkeypatch)


@pytest.mark.backend
def test_the_plugin_on_one_screen_works(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    reader.follow(section(text_of("README.md"), "A plugin on one screen"))
    assert "maxout/Maxout" in capsys.readouterr().out
    layer = zoo_core.layers["maxout/Maxout"](units=10, pieces=3)
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    kernel = np.asarray(layer(x) * 0 + layer(x))
    expected = (x @ np.asarray(layer.dense.kernel)).reshape(4, 10, 3).max(axis=-1)
    np.testing.assert_allclose(kernel, expected, atol=1e-5)


# The walk through docs/plugins.md, which `make check-new` does for real


def guide() -> list[Block]:
    return list(blocks(text_of("docs/plugins.md")))


def test_the_plugin_guide_shows_files_as_they_are_written() -> None:
    written = scaffold.render(walk.PLUGIN)
    shown = [block for block in guide() if block.file]
    assert {Path(block.file).name for block in shown} >= {"layers.py", "plugin.py", "recipes.py"}
    for block in shown:
        assert block.text in written[block.file.removeprefix(f"zoo-{walk.PLUGIN}/")], block.file


def test_every_file_that_is_written_is_in_the_plugin_guides_table() -> None:
    table = section(text_of("docs/plugins.md"), "A plugin that works")
    for path in scaffold.render(walk.PLUGIN):
        top = path.partition("/")[0]
        named = path if path.startswith("zoo_") else f"{top}/" if top != path else path
        assert f"`{named}`" in table or f"`{Path(named).name}`" in table, path


def test_the_walk_leaves_no_line_out() -> None:
    script = "\n".join(walk.script_lines(guide()))
    typed = [line for block in guide() if block.language == "console" for line in block.text.splitlines()]
    assert len(typed) > 15
    for line in typed:
        assert f"\n{line}\n" in script, line
    assert {block.language for block in guide()} == {"console", "python"}
    assert all(block.text in script for block in guide() if block.language == "python" and not block.file)
    words = {word for line in typed for word in words_of(line)}
    assert {"new", "install", "check", "train", "evaluate", "list", "publish", "registry", "pytest"} <= words


def test_the_walk_stops_at_what_is_not_true(tmp_path: Path) -> None:
    def walked(*pages: tuple[str, str]) -> int:
        return walk.run([Block(language, text, "") for language, text in pages], tmp_path, os.environ)

    assert walked(("console", "echo 1 >one\ncat one\n"), ("python", "assert open('one').read() == '1\\n'\n")) == 0
    assert walked(("console", "false\ntouch two\n")) != 0
    assert walked(("python", "raise SystemExit(3)\n"), ("console", "touch two\n")) == 3
    assert walked(("console", "false | cat\ntouch two\n")) != 0
    assert not (tmp_path / "two").exists()


def test_the_walk_finds_files_that_are_others(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    walk.check_files([Block("python", "x = 1\n", "a.py")], tmp_path)
    with pytest.raises(AssertionError, match="a.py is another"):
        walk.check_files([Block("python", "x = 2\n", "a.py")], tmp_path)


def test_ci_walks() -> None:
    assert re.search(r"^test:.* check-new$", text_of("Makefile"), re.MULTILINE)
    assert re.search(r"^check-new:.*\n\t.*-m tests\.walk$", text_of("Makefile"), re.MULTILINE)
    assert re.search(r"^make test$", text_of(".ci/run"), re.MULTILINE)
