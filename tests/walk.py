"""Does what docs/plugins.md says, line by line and for real: from `zoo new` to a plugin with weights that is listed.

`python -m tests.walk`, or `make check-new`. The plugin goes into an environment of its own in a temporary folder, which
borrows everything else from the Python that runs this. Files that the page shows must be those that `zoo new` wrote.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.pages import Block, blocks

PAGE = Path(__file__).resolve().parents[1] / "docs" / "plugins.md"
PLUGIN = "gates"
"""The example's name on that page."""
LONGEST_TRAINING = 60
"""Seconds that the page promises."""

# Programs that must run in the new environment; others are found where they are.
_PROGRAMS = {"zoo": "zoo_core", "pip": "pip", "pytest": "pytest"}


def main() -> int:
    """Walk through the page in a temporary folder; 1 where it is not true."""
    began = time.monotonic()
    page = list(blocks(PAGE.read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory(prefix="zoo-walk-") as folder:
        place = Path(folder)
        own = {"ZOO_HOME": str(place / "home"), "ZOO_CONFIG": str(place / "config.toml")}
        environment = {**lent_environment(place / "venv"), **own}
        if run(page, place, environment):
            print(f"{PAGE.name} is not true: the last command above failed", file=sys.stderr)
            return 1
        check_files(page, place)
        check_listed(environment)
    print(f"{PAGE.name}: all of it works, in {time.monotonic() - began:.0f} s")
    return 0


def run(page: list[Block], place: Path, environment: Mapping[str, str]) -> int:
    """Do in one shell, which begins in this folder, what the page says; the first exit status that isn't 0, or 0."""
    script = "\n".join(["set -euo pipefail", *script_lines(page)])
    return subprocess.run(["bash", "-c", script], cwd=place, env=environment, stdin=subprocess.DEVNULL).returncode


def lent_environment(folder: Path) -> dict[str, str]:
    """The variables of a new environment in which everything is installed that is installed here."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    lent = repr(sysconfig.get_path("purelib"))
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(f"import site; site.addsitedir({lent})\n", encoding="utf-8")
    for program, module in _PROGRAMS.items():
        path = folder / "bin" / program
        path.write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} -m {module} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    own, here = str(folder / "bin"), str(Path(sys.executable).parent)
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ZOO_REGISTRY")}
    return {**kept, "PATH": os.pathsep.join([own, here, kept["PATH"]]), "PYTHONSAFEPATH": "1"}


def script_lines(page: list[Block]) -> Iterator[str]:
    """The page as a script: its commands and its Python, each shown with the seconds that it took."""
    for block in page:
        typed = block.lines if block.language == "console" else []
        if block.language == "python" and not block.file:
            typed = [f"python - <<'PYTHON'\n{block.text}PYTHON"]
        for line in typed:
            yield f"printf '+ %s\\n' {shlex.quote(line.splitlines()[0])}\nbegan=$SECONDS\n{line}"
            yield "printf '  (%s s)\\n' $((SECONDS - began))"
            if line.startswith("zoo train "):
                yield f"[ $((SECONDS - began)) -le {LONGEST_TRAINING} ]"


def check_files(page: list[Block], place: Path) -> None:
    """Raise AssertionError unless every file that the page shows is, or is part of, what `zoo new` wrote."""
    for block in page:
        if block.file:
            assert block.text in (place / block.file).read_text(encoding="utf-8"), f"{block.file} is another"


def check_listed(environment: Mapping[str, str]) -> None:
    """Raise AssertionError unless the plugin is listed as it should be, with weights that are worth something."""
    done = subprocess.run(["zoo", "list", PLUGIN, "--json"], env=environment, stdout=subprocess.PIPE, check=True)
    (row,) = json.loads(done.stdout)
    (preset,) = row["presets"]
    assert (row["installed"], row["broken"], preset["pulled"]) == (True, None, True), row
    assert preset["metrics"]["accuracy"] > 0.9, preset


if __name__ == "__main__":
    sys.exit(main())
