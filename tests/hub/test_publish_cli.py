"""`zoo publish` as people use it: its own process, the bundled Glow, and other programs that read what it published."""

from __future__ import annotations

import json

import pytest

from tests.hub.client import CHECKOUT, OWNER

NAMES = ["README.md", "config.json", "model.safetensors", "run.json", "sample.png"]

READ = """
import sys
import huggingface_hub
huggingface_hub.ModelCard.load("toys/glow").validate()
import zoo_core
model = zoo_core.load(sys.argv[1])
print(model.count_params(), model.sample(1, seed=0).shape)
"""


@pytest.fixture
def trusted(hub_environment, hub_server):
    """The environment, in which the token may be sent to the test Hub."""
    (hub_environment.home / "config.toml").write_text(
        f'schema = 1\ntrusted-endpoints = ["{hub_server.address}"]\n', encoding="utf-8"
    )
    paths = [str(CHECKOUT), str(CHECKOUT / "plugins" / "glow")]
    hub_environment.variables.update(PYTHONPATH=":".join(paths), TF_CPP_MIN_LOG_LEVEL="3", COLUMNS="80")
    return hub_environment


# Not on every backend: it is about files, and takes long on JAX, which has to compile the model.
def test_the_bundled_glow_is_published_and_others_can_read_it(trusted, hub_server):
    first = trusted.zoo("publish", "glow:mnist", "--repo", "toys/glow", "--yes", "--json", HF_TOKEN=OWNER)
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert told["created"]
    assert told["committed"]
    assert [file["name"] for file in told["files"]] == NAMES
    assert OWNER not in first.stdout + first.stderr
    # An endpoint is set, so that nothing may go past it: the client prefers Xet otherwise.
    assert not [line for line in hub_server.requests() if "xet" in line]

    downloaded = trusted.run("hf", "download", "toys/glow", "--revision", told["revision"], "--local-dir", "glow")
    assert downloaded.returncode == 0, downloaded.stderr
    verified = trusted.run("hf", "cache", "verify", "toys/glow", "--local-dir", "glow")
    assert verified.returncode == 0, verified.stderr
    read = trusted.run("-c", READ, "./glow")
    assert read.returncode == 0, read.stderr
    assert read.stdout == "872160 (1, 28, 28, 1)\n"


def test_what_is_in_the_way_is_said_at_once_and_in_one_line(trusted):
    cases = {
        "a token that may write, and there is none": ({}, "glow:mnist"),
        "the network, which is off (unset HF_HUB_OFFLINE)": ({"HF_TOKEN": OWNER, "HF_HUB_OFFLINE": "1"}, "glow:mnist"),
        "not trusted with your token": ({"HF_TOKEN": OWNER, "ZOO_CONFIG": "/nowhere/config.toml"}, "glow:mnist"),
        "did you mean 'glow'": ({"HF_TOKEN": OWNER}, "glwo:mnist"),
        "names no repository": ({"HF_TOKEN": OWNER}, "glow:mnist:"),
    }
    for said, (variables, name) in cases.items():
        repo = "toys" if name.endswith(":") else "toys/glow"
        run = trusted.zoo("publish", name.rstrip(":"), "--repo", repo, "--yes", **variables)
        lines = [line for line in run.stderr.splitlines() if not line.startswith("Loading keras")]
        assert (run.returncode in (1, 2), len(lines), run.stdout) == (True, 1, ""), run.stderr
        assert said in lines[0]
