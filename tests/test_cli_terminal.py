"""The command line as people meet it: on terminals wide and narrow, in closing pipes, interrupted, completed by Tab."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import MANIFEST, PLUGIN, FakePlugins

ZOO = (sys.executable, "-m", "zoo_core")
STYLING = ("NO_COLOR", "FORCE_COLOR", "COLUMNS")
SLEEPER = PLUGIN.replace('print("hello from {name}")', 'import time; print("ready", flush=True); time.sleep(60)')


def on_a_terminal(plugins: FakePlugins, *arguments: str, columns: int = 100, typed: str = "", **variables: str) -> str:
    """What appears on a terminal of that width while the command runs there and something is typed."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    inherited = plugins.environment(TERM="xterm-256color")
    environment = {name: value for name, value in inherited.items() if name not in STYLING} | variables
    process = subprocess.Popen([*ZOO, *arguments], env=environment, stdin=child, stdout=child, stderr=child)
    os.close(child)
    os.write(parent, typed.encode())
    shown = _read_to_the_end(parent)
    process.wait(30)
    os.close(parent)
    return shown.replace("\r\n", "\n")


def _read_to_the_end(descriptor: int) -> str:
    content = b""
    while select.select([descriptor], [], [], 60)[0]:
        try:
            block = os.read(descriptor, 65536)
        except OSError:
            break
        if not block:
            break
        content += block
    return content.decode()


def without_styles(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_terminal_gets_a_coloured_table(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny")
    shown = on_a_terminal(fake_plugins, "list", "tiny")
    assert re.search(r"\x1b\[[0-9;]*32m", shown)
    assert re.search(r"tiny +testing +installed +first +A tiny model", without_styles(shown))


def test_no_color_is_honoured(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny")
    for arguments in (["list", "tiny"], ["info", "tiny"], ["list", "--help"]):
        shown = on_a_terminal(fake_plugins, *arguments, NO_COLOR="1")
        assert not re.search(r"\x1b\[(\d+;)*3\d(;\d+)*m", shown)


@pytest.mark.parametrize("arguments", [["list", "tiny"], ["info", "tiny"], ["components"]])
def test_forty_columns_are_enough(arguments: Sequence[str], fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny", manifest=MANIFEST.replace("A tiny model", "A tiny model " + "of many words " * 9))
    shown = without_styles(on_a_terminal(fake_plugins, *arguments, columns=40))
    assert "tiny" in shown
    assert max(map(len, shown.splitlines())) <= 40


def test_consent_is_asked_for_on_a_terminal(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny")
    shown = on_a_terminal(fake_plugins, "uninstall", "tiny", typed="n\n")
    assert "uninstall zoo-tiny 1.0 (plugin tiny)" in shown
    assert shown.endswith("Uninstall it? [y/N]: nothing was changed\n")
    assert (fake_plugins.folder / "zoo_tiny").is_dir()


def test_a_reader_that_goes_away_is_no_error(fake_plugins: FakePlugins) -> None:
    fake_plugins.add_many(40)
    command = [*ZOO, "info", "plugin001", "--json"]
    process = subprocess.Popen(
        command, env=fake_plugins.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert err == ""


def test_ctrl_c_ends_with_status_130_and_no_traceback(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny", plugin=SLEEPER)
    process = subprocess.Popen(
        [*ZOO, "tiny", "hello"],
        env=fake_plugins.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("zoo inf", {"info"}),
        ("zoo tin", {"tiny"}),
        ("zoo info t", {"tiny"}),
        ("zoo pull tiny : ", {"first"}),
        ("zoo pull tiny : fi", {"first"}),
        ("zoo components l", {"losses", "layers"}),
        ("zoo list --task ", {"testing"}),
        ("zoo uninstall t", {"tiny"}),
        ("zoo tiny ", {"hello", "goodbye"}),
        ("zoo train tiny --data m", {"mnist"}),
        ("zoo cache v", {"verify"}),
        ("zoo raising hello ", set()),
    ],
)
def test_tab_completes_names(line: str, offered: set[str], fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny")
    fake_plugins.add_broken("raises on import", "raising")
    words = line.split(" ")
    variables = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1), "_ZOO_COMPLETE": "complete_bash"}
    done = fake_plugins.python("-m", "zoo_core", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert offered <= set(done.stdout.split())
    assert offered or not done.stdout.strip()


def test_text_that_a_terminal_cannot_show_is_escaped(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny", manifest=MANIFEST.replace("A tiny model", "Ein Modell für 图像"))
    done = fake_plugins.python("-m", "zoo_core", "list", "tiny", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"f\xfcr \u56fe\u50cf" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_one_line(fake_plugins: FakePlugins) -> None:
    command = [*ZOO, "info", "tiny"]
    fake_plugins.add("tiny")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, env=fake_plugins.environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "zoo: [Errno 28] No space left on device\n")
