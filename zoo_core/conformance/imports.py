"""The check of imports: what the command line loads of a plugin must be light."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from zoo_core.conformance.package import require_hooks
from zoo_core.conformance.results import CheckFailed
from zoo_core.conformance.subjects import Item, Subject
from zoo_core.prober import HEAVY

TIMEOUT = 60.0

# Steps of a process of its own: after each, which heavy packages are there.
_SCRIPT = """
import importlib, json, sys
top, module, plugin, heavy = sys.argv[1], sys.argv[2], sys.argv[3], set(sys.argv[4:])
report = {}
def see(step):
    report[step] = sorted(heavy & sys.modules.keys())
from zoo_core import host
see("zoo_core")
importlib.import_module(top)
see(f"importing {top}")
importlib.import_module(module)
see(f"importing {module}")
outcome = host.outcome(plugin, module)
see(f"running the hooks of {module}")
print("\\n" + json.dumps(report))
"""


def check_imports(subject: Subject, item: Item) -> None:
    """In a process of its own the package is imported, then its plugin module, then the hooks are run."""
    require_hooks(subject)
    module = subject.plugin.module
    command = [sys.executable, "-P", "-c", _SCRIPT, module.partition(".")[0], module, subject.plugin.name, *HEAVY]
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    environment = os.environ | {"PYTHONPATH": path, "ZOO_NO_PROBE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise CheckFailed(f"importing it takes more than {TIMEOUT:g} seconds") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise CheckFailed(f"it cannot be imported in a process of its own: {last}")
    for step, heavy in json.loads(done.stdout.strip().splitlines()[-1]).items():
        if heavy:
            raise CheckFailed(f"{step} imports {', '.join(heavy)}: import that inside functions, or where it is used")
