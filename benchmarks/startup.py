"""How long `zoo list` takes with 1, 10 and 100 plugins, beside a typer program of three lines.

    python benchmarks/startup.py [--rounds 21]

Each program is a process of its own, its output piped; the runs of all programs are interleaved, so that whatever else
the machine does meets all of them alike; medians are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zoo_core import manifest as manifests
from zoo_core.records import KINDS, Command, Component, File, Manifest, Model, Preset

CHECKOUT = Path(__file__).resolve().parents[1]
GOALS = {1: 1.3, 10: 1.3, 100: 1.6}
TYPER = "import typer\napp = typer.Typer()\napp.command()(lambda: print('hello'))\napp()\n"
HOOKS = "from zoo_core import hookimpl\n@hookimpl\ndef register_models(register):\n    register({!r}, {!r})\n"
ZOO = "import sys\nfrom zoo_core.cli import main\nsys.exit(main(['list']))\n"


def main() -> int:
    """Measure, and print a line for each number of plugins; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=21, help="runs of each program")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        commands = {0: _program(Path(folder), "typer_alone", TYPER, 0)}
        commands |= {count: _program(Path(folder), f"zoo_{count}", ZOO, count) for count in GOALS}
        seconds = _interleaved(commands, rounds)
    alone, missed = statistics.median(seconds[0]), False
    print(f"a typer program of three lines: {_milliseconds(seconds[0])}")
    for count, goal in GOALS.items():
        ratio = statistics.median(seconds[count]) / alone
        missed |= ratio > goal
        verdict = "met" if ratio <= goal else "missed"
        print(f"zoo list, {count:3} plugins: {_milliseconds(seconds[count])}, {ratio:.2f}x (goal {goal}x: {verdict})")
    return int(missed)


def _milliseconds(seconds: list[float]) -> str:
    low, middle, high = (1000 * quartile for quartile in statistics.quantiles(seconds, n=4))
    return f"{middle:.0f} ms (quartiles {low:.0f} to {high:.0f}, {len(seconds)} runs)"


def _interleaved(commands: dict[int, tuple[list[str], dict[str, str]]], rounds: int) -> dict[int, list[float]]:
    for command, environment in commands.values():
        # The first run compiles bytecode and looks at the plugins; that happens once an installation.
        _timed(command, environment)
    seconds: dict[int, list[float]] = {count: [] for count in commands}
    for _ in range(rounds):
        for count, (command, environment) in commands.items():
            seconds[count].append(_timed(command, environment))
    return seconds


def _timed(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return time.perf_counter() - start


def _program(folder: Path, name: str, text: str, plugins: int) -> tuple[list[str], dict[str, str]]:
    """A program, and the environment in which it sees so many plugins."""
    site = folder / f"site_{name}"
    for number in range(plugins):
        install(site, f"plugin{number:03}")
    script = folder / f"{name}.py"
    script.write_text(text)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join([str(site), str(CHECKOUT)])
    return [sys.executable, str(script)], environment | {"PYTHONPATH": path, "ZOO_HOME": str(folder / f"home_{name}")}


def install(site: Path, name: str) -> None:
    """Put a plugin where an installer would: metadata, and a package with a manifest of more than a kilobyte."""
    package = f"zoo_{name}"
    metadata, code = site / f"{package}-1.0.dist-info", site / package
    metadata.mkdir(parents=True)
    code.mkdir()
    header = f"Metadata-Version: 2.4\nName: zoo-{name}\nVersion: 1.0\nSummary: A plugin\nRequires-Dist: zoo-core>=0.1\n"
    (metadata / "METADATA").write_text(header)
    (metadata / "entry_points.txt").write_text(f"[zoo.plugins]\n{name} = {package}.plugin\n")
    (code / "__init__.py").touch()
    (code / "plugin.py").write_text(HOOKS.format(name, f"{package}.parts:Model"))
    text = manifests.render(_manifest(name, package))
    assert len(text) > 1000
    (code / manifests.FILE_NAME).write_text(text)


def _manifest(name: str, package: str) -> Manifest:
    components = tuple(Component(kind, "Thing", f"{package}.parts:Thing", "What it is good for") for kind in KINDS)
    files = tuple(File(file, 1000, "0" * 64) for file in ("config.json", "model.safetensors", "run.json"))
    preset = Preset(name, "first", "Apache-2.0", 1234, "mnist", files, {"accuracy": 0.9}, f"presets/{name}-first")
    model = Model(name, f"{package}.parts:Model", "testing", "A model", f"{package}.parts:Recipe", default="first")
    return Manifest(name, components, (model,), (Command("sample", "Draw some."),), (preset,))


if __name__ == "__main__":
    sys.exit(main())
