"""`zoo doctor` as people meet it: its status, its JSON, on a terminal and in a pipe; its advice can be typed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

import pytest

from tests.conftest import BROKEN, FakePlugins
from tests.doctor.support import NEW, OLD, finding, findings, listed, write_copies
from tests.test_cache import cached
from tests.test_cli_terminal import on_a_terminal, without_styles
from tests.test_docs import check_words
from zoo_core import doctor
from zoo_core.cli import main


def test_nobody_is_asked_offline(only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (found,) = (each for each in doctor.diagnose() if each.section == "network")
    assert (found.status, found.detail) == ("ok", "HF_HUB_OFFLINE is set: nothing was tried")
    assert finding("network").detail == "not tried"


def test_the_command_fails_only_where_something_is_broken(
    versions: dict[str, str], only_fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]
) -> None:
    only_fake_plugins.add("tiny")
    assert main(["doctor", "--json", "--no-network"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"check", "status", "detail", "fix", "section"} == {key for row in rows for key in row}
    only_fake_plugins.add_broken("raises on import")
    assert main(["doctor", "--no-network"]) == 1
    captured = capsys.readouterr()
    line = next(line for line in captured.out.splitlines() if line.startswith("plugin broken"))
    assert "RuntimeError: on purpose" in line
    assert line.endswith("(fix: zoo uninstall broken)")
    assert re.search(r"^1 error(, \d+ warnings?)?$", captured.err, re.MULTILINE)


@pytest.fixture
def troubled(site: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePlugins]:
    """An installation in which a lot is wrong."""
    for number, kind in enumerate(BROKEN):
        site.add_broken(kind, f"broken{number}")
    site.add("lonely", requires="nowhere>=1")
    site.add("bare", manifest=None)
    site.write("../registry.toml", f"schema = 1\n{listed('tiny', '1.1')}")
    write_copies(acme=listed("t1ny"), toys="nonsense")
    cached("toys/tiny", NEW, {"weights": b"wei"})
    cached("toys/tiny", OLD, {"weights": b"older"})
    return site


def test_every_command_that_mends_something_is_one(troubled: FakePlugins) -> None:
    wrong = [found for found in findings() if found.status != "ok" and found.check != "installer"]
    assert len(wrong) > 15
    assert all(found.fix for found in wrong)
    typed = [line for found in wrong for line in re.findall(r"\bzoo [a-z][^,&(]*", found.fix)]
    assert len({words.split()[1] for words in typed}) >= 5
    for line in typed:
        words = shlex.split(line)[1:]
        if words[0] in ("uninstall", "pull", "registry", "cache", "install", "manifest"):
            check_words(words, line)


def test_a_terminal_gets_sections_and_lines_that_fit(troubled: FakePlugins) -> None:
    shown = on_a_terminal(troubled, "doctor", "--no-network", columns=60, ZOO_NO_PROBE="1")
    assert re.search(r"\x1b\[[0-9;]*31m", shown)
    text = re.sub("[⠁-⣿] looking\\.\\.\\.", "", without_styles(shown).replace("\r", ""))
    assert max(map(len, text.splitlines())) <= 60
    headings = re.findall(r"^([A-Z][a-z]+)$", text, re.MULTILINE)
    assert headings == ["Installation", "Settings", "Plugins", "Conflicts", "Weights", "Network"]
    assert re.search(r"^  warning +.*\n( {11}.*\n)* {11}fix: unset ZOO_NO_PROBE *$", text, re.MULTILINE)
    assert re.search(r"^\d+ errors, \d+ warnings$", text, re.MULTILINE)
