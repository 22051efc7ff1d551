"""A plugin that passes every check, and copies of it to be spoiled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conformance.project import CORAL, Project

RECORD = {"license": "Apache-2.0", "variant": "small", "parameters": 15}


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The plugin with its manifest and a trained preset; only to be copied and looked at."""
    import zoo_core
    from zoo_core import backend

    backend.ensure()
    project = Project(tmp_path_factory.mktemp("conformance") / "coral")
    shutil.copytree(CORAL, project.folder, ignore=shutil.ignore_patterns("__pycache__"))
    with project.opened():
        from zoo_coral.parts import Reef

        preset = project.package / "presets" / "coral-small"
        zoo_core.save(Reef(3), preset, RECORD, reference="coral/coral")
    return project.update()


@pytest.fixture
def coral(whole: Project, tmp_path: Path) -> Project:
    """A copy of it."""
    return Project(shutil.copytree(whole.folder, tmp_path / "coral", ignore=shutil.ignore_patterns("__pycache__")))
