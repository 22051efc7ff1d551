"""What the tests of `zoo doctor` share: findings by their check, and registries to find things in."""

from __future__ import annotations

from zoo_core import doctor, known_registries, user_config
from zoo_core.doctor import Finding
from zoo_core.user_config import RegistryLocation, UserConfig

OLD, NEW = "0" * 40, "1" * 40

KERAS = {
    "__init__.py": "from keras import ops\nclass backend:\n    backend = staticmethod(lambda: 'tensorflow')\n",
    "ops.py": "arange = lambda stop, dtype: range(stop)\nconvert_to_numpy = float\nsum = sum\n",
}
"""Enough of Keras for the process that tries whether it computes, and quick to import."""

ENTRY = """
[[plugins]]
distribution = "{distribution}"
version = "{version}"
plugin = "{name}"
schema = 1
[[plugins.models]]
name = "{name}"
target = "zoo_x.models:X"
task = "testing"
[plugins.source]
index = "https://index.example/simple"
"""


def listed(name: str, version: str = "1.0", distribution: str = "") -> str:
    return ENTRY.format(name=name, version=version, distribution=distribution or f"zoo-{name}")


def findings(check: str = "") -> list[Finding]:
    return [finding for finding in doctor.diagnose(network=False) if check in ("", finding.check)]


def finding(check: str) -> Finding:
    (found,) = findings(check)
    return found


def write_copies(**texts: str) -> None:
    """Add registries by their names, and lay copies of them where they are kept."""
    registries = tuple(RegistryLocation(name, f"https://{name}.example/registry.toml") for name in texts)
    user_config.write(UserConfig(registries))
    for name, text in texts.items():
        copy = known_registries.copy_path(name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(f"schema = 1\n{text}")
