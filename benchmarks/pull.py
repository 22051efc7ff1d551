"""Pulling a preset of 500 MB, every byte verified, beside `hf download` and beside a plain copy over HTTP.

Run: python benchmarks/pull.py [--megabytes 500] [--repeat 5]

All three fetch from one server in a process of its own on this machine (tests/hub, which speaks the Hub's protocol and
redirects to another port for large files), each into an empty cache, in turns and in changing order; medians are
compared. `zoo pull` and `hf download` are timed as commands, start-up included; the zoo also reads back everything and
compares its sha256, the others don't. Goal: at most 1.1 times the time of `hf download`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from zoo_core import manifest as manifests
from zoo_core.config import Config
from zoo_core.presets import RUN_FILE, WEIGHTS_FILE, describe, write_preset, write_run
from zoo_core.records import Manifest, Model, Preset

CHECKOUT = Path(__file__).resolve().parents[1]
GOAL = 1.1
REPO = "benchmark/large"
HOOKS = """
from zoo_core import hookimpl

@hookimpl
def register_models(register):
    register("large", "zoo_large.models:Large", task="benchmark")
"""
VARIABLES = ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_ENABLE_HF_TRANSFER", "HTTP_PROXY", "http_proxy", "ALL_PROXY")


def main() -> int:
    """Print the medians and the ratio; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=500, help="the size of the weights")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions of each")
    arguments = parser.parse_args()
    sys.path.insert(0, str(CHECKOUT))
    with tempfile.TemporaryDirectory(prefix="pull-") as place, import_module("tests.hub.client").HubServer() as server:
        ways = prepare(Path(place), server, arguments.megabytes * 1_000_000)
        seconds = measure(ways, arguments.repeat, Path(place, "home"))
    medians = {label: statistics.median(values) for label, values in seconds.items()}
    for label, values in seconds.items():
        spread = f"{min(values):.2f} to {max(values):.2f}, {len(values)} times"
        rate = arguments.megabytes / medians[label]
        print(f"{label:<28}{medians[label]:7.2f} s  {rate:6.0f} MB/s   ({spread})")
    ratio = medians["zoo pull, verified"] / medians["hf download"]
    print(f"zoo pull / hf download: {ratio:.2f}   (goal: at most {GOAL})")
    return int(ratio > GOAL)


def prepare(place: Path, server: Any, size: int) -> dict[str, Callable[[], None]]:
    """Publish a preset of so many bytes, install a plugin that names it, and give the three ways to fetch it."""
    preset = write_large_preset(place / "preset", size)
    revision = server.add_folder(REPO, preset)
    files = tuple(describe(path) for path in sorted(preset.iterdir()))
    described = Preset("large", "random", "MIT", size // 4, files=files, repo=REPO, revision=revision)
    install(place / "site", described)
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES} | {
        "HF_ENDPOINT": server.address,
        "HF_HOME": str(place / "home"),
        "HF_HUB_CACHE": str(place / "home" / "hub"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "ZOO_HOME": str(place / "zoo"),
        "ZOO_CONFIG": str(place / "config.toml"),
        "PYTHONPATH": os.pathsep.join([str(place / "site"), str(CHECKOUT)]),
    }

    def run(*command: str) -> None:
        done = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stderr}")

    zoo, hf = (sys.executable, "-m", "zoo_core"), str(Path(sys.executable).with_name("hf"))
    run(*zoo, "list")  # once an installation: looks at the plugins, compiles bytecode
    address = f"{server.address}/{REPO}/resolve/{revision}/{WEIGHTS_FILE}"
    return {
        "zoo pull, verified": lambda: run(*zoo, "pull", "large", "--json"),
        "hf download": lambda: run(hf, "download", REPO, "--revision", revision, "--quiet"),
        "a plain copy": lambda: copy(address, place / "home"),
    }


def write_large_preset(folder: Path, size: int) -> Path:
    """A preset whose weights are random bytes: pulling looks at hashes alone. Its folder."""
    write_preset(folder, Config("large/large"), {})
    with (folder / WEIGHTS_FILE).open("wb") as file:
        for start in range(0, size, 1 << 24):
            file.write(os.urandom(min(1 << 24, size - start)))
    files = [describe(path) for path in sorted(folder.iterdir()) if path.name != RUN_FILE]
    write_run(folder, {"schema": 1, "model": "large/large"}, files)
    return folder


def install(site: Path, preset: Preset) -> None:
    """A plugin that names the preset, as an installer leaves it."""
    package, metadata = site / "zoo_large", site / "zoo_large-1.0.dist-info"
    package.mkdir(parents=True)
    metadata.mkdir()
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(HOOKS)
    models = (Model("large", "zoo_large.models:Large", "benchmark"),)
    (package / manifests.FILE_NAME).write_text(manifests.render(Manifest("large", models=models, presets=(preset,))))
    (metadata / "METADATA").write_text("Metadata-Version: 2.4\nName: zoo-large\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[zoo.plugins]\nlarge = zoo_large.plugin\n")


def copy(address: str, folder: Path) -> None:
    """Write what an address has into a folder, and nothing else."""
    folder.mkdir()
    with urlopen(address) as source, (folder / WEIGHTS_FILE).open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def measure(ways: dict[str, Callable[[], None]], repeat: int, cache: Path) -> dict[str, list[float]]:
    """The seconds of each way, in turns, so that whatever else the machine does meets all of them alike."""
    seconds: dict[str, list[float]] = {label: [] for label in ways}
    order = list(ways)
    for _ in range(repeat):
        for label in order:
            shutil.rmtree(cache, ignore_errors=True)
            os.sync()  # what the last one wrote is not to be waited for by the next one
            start = time.perf_counter()
            ways[label]()
            seconds[label].append(time.perf_counter() - start)
        order.append(order.pop(0))
    return seconds


if __name__ == "__main__":
    sys.exit(main())
