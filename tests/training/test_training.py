"""Training runs: what a run's folder holds, going on after interruptions bit for bit, and runs that cannot go on."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import platform
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from zoo_core import safetensors_file
from zoo_core.batches import Batches
from zoo_core.errors import DataError, RecipeError, TrainingInterrupted, WeightsError
from zoo_core.loading import load
from zoo_core.recipes import Task
from zoo_core.tensors import tensor_arrays

pytestmark = pytest.mark.backend

Train = Callable[..., dict[str, Any]]


class Saboteur(keras.callbacks.Callback):
    """Does something after so many batches, once; its count of batches belongs to its state."""

    def __init__(self, after: int, action: Callable[[], None]) -> None:
        super().__init__()
        self.after, self.action, self.batches = after, action, 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches += 1
        if self.batches == self.after:
            self.action()

    def get_state(self) -> dict[str, Any]:
        return {"batches": self.batches}

    def set_state(self, state: dict[str, Any]) -> None:
        self.batches = state["batches"]


def sabotage(pets: Any, monkeypatch: pytest.MonkeyPatch, after: int, action: Callable[[], None]) -> None:
    monkeypatch.setattr(pets.CatRecipe, "callbacks", lambda *_: [Saboteur(after, action)])


def crash() -> None:
    raise RuntimeError("the power went out")


def send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def tensors(path: Path) -> dict[str, np.ndarray]:
    return safetensors_file.read(path)[0]


def last_checkpoint(folder: Path) -> Path:
    return max((folder / "checkpoint").glob("*.safetensors"))


def history(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def assert_same_run(first: Path, second: Path) -> None:
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()
    expected, found = tensors(last_checkpoint(first)), tensors(last_checkpoint(second))
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(value, found[name], err_msg=name)
    assert history(first) == history(second)


def test_run_folder_is_a_preset_with_a_complete_record(train_cat: Train, tmp_path: Path) -> None:
    record = train_cat("run", epochs=2)
    folder = tmp_path / "run"
    assert json.loads((folder / "run.json").read_text()) == record
    assert tensor_arrays(load(folder)).keys() == tensors(folder / "model.safetensors").keys()
    assert record["model"] == "pets/cat"
    assert record["variant"] == record["data"]["name"] == "lights"
    assert record["data"]["splits"] == {"train": 44, "test": 20}
    assert (record["epochs"], record["steps"], record["seed"]) == (2, 10, 0)
    assert record["parameters"] == sum(value.size for value in tensors(folder / "model.safetensors").values())
    assert record["settings"]["learning_rate"] == 0.01
    assert record["files"]["model.safetensors"]["size"] == (folder / "model.safetensors").stat().st_size
    assert {"processor", "cores", "memory_gib"} <= record["hardware"].keys()
    assert record["versions"][keras.backend.backend()]
    assert record["versions"]["pets"] == "1.0"
    assert [line["epoch"] for line in history(folder)] == [1, 2]
    assert {"loss", "accuracy", "learning_rate"} <= history(folder)[0].keys()
    assert history(folder)[1]["learning_rate"] == pytest.approx(0, abs=1e-9)
    assert sorted(path.name for path in (folder / "samples").iterdir()) == ["epoch-1.txt", "epoch-2.txt"]
    assert len(list((folder / "checkpoint").glob("*.safetensors"))) == 2
    assert "pets/cat" in (folder / "README.md").read_text()


def test_record_names_no_host_and_no_path(train_cat: Train, tmp_path: Path) -> None:
    train_cat("run", epochs=1)
    text = (tmp_path / "run" / "run.json").read_text()
    assert str(tmp_path) not in text
    assert platform.node() not in text


@pytest.mark.parametrize(
    ("how", "after"), [("exception", 3), ("exception", 7), ("SIGTERM", 3), ("SIGTERM", 8), ("SIGINT", 5)]
)
def test_interrupted_run_ends_in_the_same_weights(
    train_cat: Train, pets: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str, after: int
) -> None:
    action = crash if how == "exception" else send(getattr(signal, how))
    sabotage(pets, monkeypatch, after, action)
    with pytest.raises(RuntimeError if how == "exception" else TrainingInterrupted):
        train_cat("interrupted")
    sabotage(pets, monkeypatch, 0, crash)
    train_cat("interrupted")
    train_cat("whole")
    assert_same_run(tmp_path / "whole", tmp_path / "interrupted")


def test_checkpoints_inside_epochs_change_nothing(train_cat: Train, tmp_path: Path) -> None:
    train_cat("often", checkpoint_minutes=0)
    train_cat("seldom")
    assert_same_run(tmp_path / "seldom", tmp_path / "often")


def test_run_out_of_time_stops_in_peace_and_goes_on(train_cat: Train, tmp_path: Path) -> None:
    record = train_cat("short", minutes=0)
    assert (record["epochs"], record["steps"]) == (0, 1)
    load(tmp_path / "short")
    assert train_cat("short")["steps"] == 10
    train_cat("whole")
    assert_same_run(tmp_path / "whole", tmp_path / "short")


def test_state_of_callbacks_survives(
    train_cat: Train, pets: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sabotage(pets, monkeypatch, 7, send(signal.SIGTERM))
    with pytest.raises(TrainingInterrupted, match="epoch 1 and 2 batches, all saved"):
        train_cat("run")
    saboteur = Saboteur(0, crash)
    monkeypatch.setattr(pets.CatRecipe, "callbacks", lambda *_: [saboteur])
    train_cat("run")
    assert saboteur.batches == 10


def test_preset_holds_averaged_weights_while_training_goes_on_with_raw_ones(train_cat: Train, tmp_path: Path) -> None:
    train_cat("run", epochs=1)
    saved = tensors(last_checkpoint(tmp_path / "run"))
    preset = tensors(tmp_path / "run" / "model.safetensors")["convolution/kernel"]
    assert any(np.array_equal(value, preset) for name, value in saved.items() if name.startswith("optimizer/"))
    assert not any(np.array_equal(value, preset) for name, value in saved.items() if name.startswith("model/"))


def test_batch_order_is_a_function_of_seed_and_epoch(pets: Any) -> None:
    examples = np.arange(20)

    def order(seed: int, epoch: int, start: int = 0) -> list[int]:
        batches = Batches(pets.CatRecipe(seed=seed, batch_size=6), examples, start)
        batches.epoch = epoch
        return [int(example) for index in range(batches.num_batches) for example in batches[index]]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1) != order(1, 1)
    assert order(0, 1, start=2) == order(0, 1)[12:]
    assert len(set(order(3, 4))) == 18


def test_data_smaller_than_a_batch_makes_one_batch(pets: Any) -> None:
    batches = Batches(pets.CatRecipe(batch_size=50), (np.arange(7), np.arange(7)))
    assert batches.num_batches == 1
    assert sorted(batches[0][0]) == sorted(batches[0][1]) == list(range(7))


def test_augmentation_draws_anew_for_every_batch_and_the_same_when_repeated(
    pets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pets.CatRecipe, "batch", lambda self, inputs, index, random: random.random())
    batches = Batches(pets.CatRecipe(), np.arange(20))
    assert batches[0] == batches[0] != batches[1]


def test_validation_examples_are_measured_and_not_trained_on(
    train_cat: Train, pets: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = set()

    def batch(self: Any, inputs: Any, index: np.ndarray, random: Any) -> Any:
        seen.update(map(int, index))
        return tuple(array[index] for array in inputs)

    monkeypatch.setattr(pets.CatRecipe, "batch", batch)
    record = train_cat("run", validation=12, epochs=1)
    assert record["data"]["splits"] == {"train": 32, "validation": 12, "test": 20}
    assert seen == set(range(32))
    assert "val_accuracy" in history(tmp_path / "run")[0]


def test_diverging_run_stops_and_keeps_what_is_good(
    train_cat: Train, pets: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def poison() -> None:
        model = saboteur.model
        if keras.backend.backend() == "jax":
            model.jax_state_sync()
        model.head.bias.assign([np.nan, np.nan])

    saboteur = Saboteur(7, poison)
    monkeypatch.setattr(pets.CatRecipe, "callbacks", lambda *_: [saboteur])
    with pytest.raises(RecipeError, match="NaN or infinite in epoch 2"):
        train_cat("run")
    assert last_checkpoint(tmp_path / "run").name.startswith("000001-00000000")
    assert all(np.isfinite(value).all() for value in tensors(tmp_path / "run" / "model.safetensors").values())


def test_different_run_in_the_folder_is_refused(train_cat: Train, make_data: Callable[..., Path]) -> None:
    train_cat("run", epochs=1)
    with pytest.raises(RecipeError, match=r"different run: learning_rate=0.01 \(now 0.1\)"):
        train_cat("run", epochs=1, learning_rate=0.1)
    with pytest.raises(RecipeError, match="different run: data="):
        train_cat("run", epochs=1, data=make_data("lights.npz", seed=5))


def test_run_may_be_made_longer(train_cat: Train, tmp_path: Path) -> None:
    train_cat("run", epochs=1)
    assert train_cat("run", epochs="3")["epochs"] == 3
    assert [line["epoch"] for line in history(tmp_path / "run")] == [1, 2, 3]


def test_finished_run_stays_as_it_is(train_cat: Train, tmp_path: Path) -> None:
    record = train_cat("run", epochs=1)
    written = (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns
    assert train_cat("run", epochs=1) == record
    assert (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns == written


def test_run_may_be_given_up_for_a_new_one(train_cat: Train, tmp_path: Path) -> None:
    train_cat("run", epochs=2)
    assert train_cat("run", epochs=1, units=3, resume=False)["steps"] == 5
    assert [line["epoch"] for line in history(tmp_path / "run")] == [1]
    assert len(list((tmp_path / "run" / "checkpoint").glob("*.safetensors"))) == 1


def test_setting_that_the_recipe_got_since_counts_as_its_default(train_cat: Train, tmp_path: Path) -> None:
    train_cat("run", epochs=1)
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text())
    del record["settings"]["units"]
    path.write_text(json.dumps(record))
    assert train_cat("run", epochs=2)["epochs"] == 2
    with pytest.raises(RecipeError, match="different run: units=4"):
        train_cat("run", epochs=2, units=3)


def test_unknown_precision_is_refused(train_cat: Train) -> None:
    with pytest.raises(RecipeError, match="precision='quarter'"):
        train_cat("run", precision="quarter")


def test_folder_of_somebody_else_is_left_alone(train_cat: Train, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear cat")
    with pytest.raises(RecipeError, match="not empty and holds no run"):
        train_cat("home")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["letter.txt"]


def test_folder_that_cannot_be_made_is_an_error(train_cat: Train, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecipeError, match="cannot be written"):
        train_cat("file/run")


def test_folder_in_use_is_refused(train_cat: Train, tmp_path: Path) -> None:
    from zoo_core.run_folder import opened

    with opened(tmp_path / "run", resume=True), pytest.raises(RecipeError, match="another training"):
        train_cat("run")


def test_full_disk_is_an_error_that_the_run_survives(
    train_cat: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("zoo_core.fitting.save_checkpoint", full)
        with pytest.raises(RecipeError, match="No space left on device"):
            train_cat("run", epochs=1)
    assert train_cat("run", epochs=1)["epochs"] == 1
    assert len(history(tmp_path / "run")) == 1


def test_init_starts_from_a_preset_and_records_it(train_cat: Train, tmp_path: Path) -> None:
    first = train_cat("first", epochs=1)
    record = train_cat("second", epochs=1, learning_rate=0, init=tmp_path / "first")
    assert record["initial"] == {"name": "first", "sha256": first["files"]["model.safetensors"]["sha256"]}
    for name, value in tensors(tmp_path / "first" / "model.safetensors").items():
        # Not equal: the moving average of equal numbers is rounded.
        np.testing.assert_allclose(tensors(tmp_path / "second" / "model.safetensors")[name], value, rtol=1e-5)


def test_init_of_another_shape_is_refused(train_cat: Train, tmp_path: Path) -> None:
    train_cat("first", epochs=1)
    with pytest.raises(WeightsError, match="convolution"):
        train_cat("second", epochs=1, units=5, init=tmp_path / "first")


def test_callback_may_end_the_run_early(train_cat: Train, pets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    enough = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: setattr(enough.model, "stop_training", True))
    monkeypatch.setattr(pets.CatRecipe, "callbacks", lambda *_: [enough])
    assert train_cat("run", epochs=9)["epochs"] == 1


def test_samples_that_fail_cost_no_training(
    train_cat: Train, pets: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pets.CatRecipe, "sample", lambda *_: 1 / 0)
    assert train_cat("run", epochs=1, progress="lines")["epochs"] == 1
    assert "no samples of epoch 1: ZeroDivisionError" in capsys.readouterr().err


def test_progress_is_a_line_an_epoch_on_stderr_when_piped(train_cat: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train_cat("run", progress="auto")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.split()[:2] for line in captured.err.splitlines()[:2]] == [["epoch", "1/2"], ["epoch", "2/2"]]


def test_progress_bar_shows_every_epoch(train_cat: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train_cat("run", progress="bar")
    assert "epoch 2/2" in capsys.readouterr().err


def test_model_without_recipe_or_data_says_so(train_cat: Train, tmp_path: Path, pets: Any) -> None:
    from zoo_core.training import train

    with pytest.raises(RecipeError, match="pets/stray has no recipe"):
        train("pets/stray", out=tmp_path / "run")
    with pytest.raises(RecipeError, match="pets/cat has no data of its own"):
        train("pets/cat", out=tmp_path / "run")


def test_model_and_recipe_without_a_plugin_can_be_trained(
    pets: Any, make_data: Callable[..., Path], tmp_path: Path
) -> None:
    from zoo_core.training import train

    task = Task("lab/cat", pets.Cat, pets.CatRecipe)
    record = train(task, make_data(), {"epochs": 1}, out=tmp_path / "run", progress="none")
    assert (record["model"], record["epochs"]) == ("lab/cat", 1)


def test_a_run_goes_by_default_into_a_folder_of_its_model_and_data(
    pets: Any, make_data: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo_core.training import train

    monkeypatch.chdir(tmp_path)
    dusk, dawn, noon = (str(make_data(f"{name}.npz")) for name in ("dusk", "dawn", "noon"))
    train("pets/cat", dusk, {"epochs": 1}, progress="none")
    train("pets/cat", None, {"epochs": 1, "data": dawn}, progress="none")
    lab_recipe = dataclasses.make_dataclass(
        "R", [("data", str, noon)], bases=(pets.CatRecipe,), frozen=True, kw_only=True
    )
    train(Task("lab/cat", pets.Cat, lab_recipe), None, {"epochs": 1}, progress="none")
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["cat-dawn", "cat-dusk", "cat-noon"]


def test_data_that_is_not_there_is_named_as_it_was_typed(
    pets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo_core.training import train

    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"^\./none does not exist"):
        train("pets/cat", "./none", progress="none")
