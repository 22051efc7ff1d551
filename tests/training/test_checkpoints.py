"""Checkpoints: everything comes back, what is damaged is left out, what does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from zoo_core import safetensors_file
from zoo_core.checkpoints import Position, latest_checkpoint, restore, restore_metrics, save_checkpoint, variables
from zoo_core.errors import RecipeError

pytestmark = pytest.mark.backend

INPUTS = np.arange(12, dtype="float32").reshape(4, 3) / 12
TARGETS = np.array([0, 1, 1, 0])


def make_model(units: int = 3) -> keras.Model:
    layers = [keras.layers.Dense(units), keras.layers.Dropout(0.5, seed=2), keras.layers.Dense(2)]
    model = keras.Sequential(layers)
    model.build((None, 3))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(use_ema=True), loss, metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    return model


def values(model: keras.Model) -> dict[str, np.ndarray]:
    return {name: keras.ops.convert_to_numpy(variable) for name, variable in variables(model).items()}


@pytest.fixture
def trained() -> keras.Model:
    model = make_model()
    model.train_on_batch(INPUTS, TARGETS)
    return model


def test_every_variable_comes_back(trained: keras.Model, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Position(2, 5, 60.0, 10.0), trained, [])
    checkpoint = latest_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.position == Position(2, 5, 60.0, 10.0)
    other = make_model()
    other.train_on_batch(INPUTS + 1, TARGETS)
    restore(checkpoint, other, [])
    restore_metrics(checkpoint, other)
    expected, found = values(trained), values(other)
    assert expected.keys() == found.keys()
    for name in expected:
        np.testing.assert_array_equal(expected[name], found[name], err_msg=name)


def test_seeds_iterations_and_averages_are_among_the_variables(trained: keras.Model) -> None:
    found = values(trained)
    seeds = [value for name, value in found.items() if name.startswith("model/") and value.shape == (2,)]
    assert any(value.tolist() == [2, 1] for value in seeds), "the dropout's seed, once used"
    assert found["optimizer/0"] == 1
    weights = len(trained.trainable_variables)
    assert sum(name.startswith("optimizer/") for name in found) == 2 + 3 * weights


def test_last_two_are_kept(trained: keras.Model, tmp_path: Path) -> None:
    for position in (Position(0, 7), Position(1, 0), Position(1, 3)):
        save_checkpoint(tmp_path, position, trained, [])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["000001-00000000.safetensors", "000001-00000003.safetensors"]


def test_damaged_checkpoint_gives_way_to_the_one_before(
    trained: keras.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert latest_checkpoint(tmp_path) is None
    save_checkpoint(tmp_path, Position(1), trained, [])
    save_checkpoint(tmp_path, Position(2), trained, [])
    last = tmp_path / "000002-00000000.safetensors"
    last.write_bytes(last.read_bytes()[:-10])
    checkpoint = latest_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.position.epoch == 1
    assert "000002-00000000.safetensors is damaged" in capsys.readouterr().err
    (tmp_path / "000001-00000000.safetensors").write_bytes(b"")
    with pytest.raises(RecipeError, match="every checkpoint"):
        latest_checkpoint(tmp_path)


def test_checkpoint_of_another_model_is_refused(trained: keras.Model, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Position(1), trained, [])
    checkpoint = latest_checkpoint(tmp_path)
    assert checkpoint is not None
    with pytest.raises(RecipeError, match=r"model/0 is float32 \(3, 4\), saved was float32 \(3, 3\)"):
        restore(checkpoint, make_model(units=4), [])


def test_checkpoint_of_another_backend_is_refused(trained: keras.Model, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Position(1), trained, [])
    path = tmp_path / "000001-00000000.safetensors"
    tensors, metadata = safetensors_file.read(path)
    safetensors_file.write(path, tensors, {"zoo": json.dumps({**json.loads(metadata["zoo"]), "backend": "abacus"})})
    checkpoint = latest_checkpoint(tmp_path)
    assert checkpoint is not None
    with pytest.raises(RecipeError, match="KERAS_BACKEND=abacus"):
        restore(checkpoint, trained, [])


@pytest.mark.parametrize("state", [{"a": (1, 2)}, {1: "a"}, {"a": object()}, {"a": float("nan")}])
def test_callback_state_that_json_would_change_is_refused(trained: keras.Model, tmp_path: Path, state: Any) -> None:
    class Callback:
        def get_state(self) -> Any:
            return state

    with pytest.raises(RecipeError, match=r"Callback.get_state\(\) gives more than plain JSON"):
        save_checkpoint(tmp_path, Position(), trained, [Callback()])
    assert not list(tmp_path.iterdir())


class Averaging(keras.callbacks.Callback):
    """A callback whose state is partly an array."""

    def __init__(self) -> None:
        super().__init__()
        self.count, self.mean = 0, np.zeros(2, "float32")

    def get_state(self) -> dict[str, Any]:
        return {"count": self.count}

    def set_state(self, state: dict[str, Any]) -> None:
        self.count = state["count"]

    def get_arrays(self) -> dict[str, np.ndarray]:
        return {"mean": self.mean}

    def set_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        self.mean = arrays["mean"]


def test_arrays_of_callbacks_come_back_each_to_its_own(trained: keras.Model, tmp_path: Path) -> None:
    callbacks = [Averaging(), keras.callbacks.Callback(), Averaging()]
    callbacks[0].mean, callbacks[2].mean, callbacks[2].count = np.float32([1, 2]), np.float32([3, 4]), 7
    save_checkpoint(tmp_path, Position(1, 0), trained, callbacks)
    checkpoint = latest_checkpoint(tmp_path)
    assert checkpoint is not None
    others = [Averaging(), keras.callbacks.Callback(), Averaging()]
    restore(checkpoint, trained, others)
    assert [others[0].count, others[2].count] == [0, 7]
    np.testing.assert_array_equal(others[0].mean, [1, 2])
    np.testing.assert_array_equal(others[2].mean, [3, 4])
