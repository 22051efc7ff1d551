"""The backend: chosen among what is installed, said out loud where it matters, loaded in silence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo_core import backend
from zoo_core.errors import BackendError

CHECKOUT = Path(backend.__file__).parents[1]


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Say which packages are installed; nothing is set in the environment, and there is no keras.json."""
    there = {"keras", "tensorflow", "jax", "torch", "pip"}
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(backend, "_is_installed", there.__contains__)
    return there


def keras_json(folder, content):
    (folder / "keras.json").write_text(content)


def test_tensorflow_is_the_default_and_nothing_is_said(installed, capsys):
    assert backend.choose() == "tensorflow"
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("missing", "expected"), [({"tensorflow"}, "jax"), ({"tensorflow", "jax"}, "torch")])
def test_another_one_is_taken_where_tensorflow_is_missing_and_said(installed, capsys, missing, expected):
    installed -= missing
    assert backend.choose() == expected
    out, err = capsys.readouterr()
    assert out == ""
    assert f"tensorflow is not installed: Keras computes with {expected}" in err


def test_the_environment_decides(installed, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert backend.choose() == "torch"


def test_keras_own_setting_is_respected_where_it_can_be(installed, tmp_path, capsys):
    keras_json(tmp_path, json.dumps({"backend": "jax"}))
    assert backend.choose() == "jax"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"backend": "numpy"}', '{"backend": ["jax"]}'])
def test_a_setting_that_cannot_be_used_is_ignored(installed, tmp_path, content):
    keras_json(tmp_path, content)
    assert backend.choose() == "tensorflow"


@pytest.mark.parametrize("missing", [{"tensorflow", "jax", "torch"}, {"keras"}])
def test_without_a_backend_the_error_is_the_command_that_installs_one(installed, missing):
    installed -= missing
    with pytest.raises(BackendError) as caught:
        backend.choose()
    assert f"{sys.executable} -m pip install 'keras>=3.15.1' tensorflow" in str(caught.value)


def test_where_there_is_no_pip_the_command_is_uvs(installed):
    installed.remove("pip")
    assert backend.install_command("jax").startswith(f"uv pip install --python {sys.executable} ")


@pytest.mark.parametrize("missing", ["jax", "keras"])
def test_a_named_backend_that_is_not_installed_is_an_error(installed, monkeypatch, missing):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    installed.remove(missing)
    with pytest.raises(BackendError, match=f"KERAS_BACKEND is jax, but {missing} is not installed .*pip install.* jax"):
        backend.choose()


def test_a_backend_that_the_zoo_does_not_know_is_an_error(installed, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy\x1b[31m")
    with pytest.raises(BackendError, match="KERAS_BACKEND is 'numpy' .*one of tensorflow, jax, torch"):
        backend.choose()


def run(code, **environment):
    command, everything = [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": str(CHECKOUT), **environment}
    return subprocess.run(command, env=everything, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch"])
def test_loading_and_first_use_print_nothing_but_the_notice(name):
    if not backend._is_installed(name):
        pytest.skip(f"{name} is not installed")
    code = (
        "from zoo_core import backend; backend.loading_notice(); assert backend.ensure() == backend.ensure();"
        "import keras; keras.ops.matmul(keras.ops.ones((2, 2)), keras.ops.ones((2, 2))); backend.loading_notice();"
        "backend.set_random_seed(1)"
    )
    done = run(code, KERAS_BACKEND=name, ZOO_DEBUG="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"Loading keras ({name})...\n")


def test_only_known_noise_is_held_back_and_the_rest_is_shown():
    code = (
        "import os\n"
        "from zoo_core import backend\n"
        "with backend._without_noise():\n"
        "    os.write(2, b'WARNING: All log messages before absl::InitializeLog() is called\\n')\n"
        "    os.write(2, b'I0000 00:00:1795374112.288522    5865 port.cc:153] oneDNN\\n')\n"
        "    os.write(2, b'2026-11-22 19:00:00.123456: E external/local_xla/cuda.cc:1] no CUDA\\n')\n"
        "    os.write(2, b'something that matters\\n')\n"
        "    raise SystemExit('ends here')\n"
    )
    done = run(code, ZOO_DEBUG="")
    assert done.stderr == "something that matters\nends here\n"
    shown = run(code, ZOO_DEBUG="1")
    assert "oneDNN" in shown.stderr


def test_a_backend_that_cannot_be_loaded_is_an_error_with_its_reason(tmp_path):
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("raise ImportError('libfoo.so is missing')")
    done = run(
        "from zoo_core import backend; backend.ensure()",
        KERAS_BACKEND="jax",
        PYTHONPATH=f"{tmp_path}{os.pathsep}{CHECKOUT}",
    )
    assert "BackendError: Keras cannot be loaded on jax: libfoo.so is missing" in done.stderr
