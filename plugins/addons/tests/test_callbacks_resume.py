"""A killed and resumed training ends as one that was left alone, bit for bit."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

from zoo_addons import GradientAccumulation, Resume
from zoo_core.checkpoints import latest_checkpoint
from zoo_core.errors import RecipeError

pytestmark = pytest.mark.backend

SCRIPT = Path(__file__).parent / "resumed_training.py"
X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = X.sum(axis=1, keepdims=True)


def scenario() -> ModuleType:
    spec = importlib.util.spec_from_file_location("resumed_training", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kill(folder: Path, shuffle: str, epoch: int, batch: int, save_freq: int) -> None:
    folder.mkdir()
    arguments = [str(folder), shuffle, str(epoch), str(batch), str(save_freq)]
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr[-2000:]


def everything(model: keras.Model, callbacks: list[Any], folder: Path) -> dict[str, Any]:
    """All that a training leaves behind."""
    _best, _rate, plateau, checkpoint, stopping, *_ = callbacks
    return {
        "weights": model.get_weights(),
        "seeds": [keras.ops.convert_to_numpy(v) for v in model.variables],
        "optimizer": [keras.ops.convert_to_numpy(v) for v in model.optimizer.variables],
        "history": model.history.history,
        "epochs": model.history.epoch,
        "best": (callbacks[0].best, callbacks[0].best_epoch, callbacks[0].history),
        "plateau": (plateau.best, plateau.wait, plateau.cooldown_counter),
        "checkpoint": checkpoint.best,
        "stopping": (stopping.best, stopping.best_epoch, stopping.wait, stopping.best_weights),
        "counter": (callbacks[-1].batches, callbacks[-1].losses),
        "log": (folder / "log.csv").read_text(),
        "tensors": latest_checkpoint(folder / "backup").tensors,
    }


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Bit for bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}/{index}")
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        assert one.tobytes() == other.tobytes(), where
    else:
        assert one == other, where


def test_killed_and_resumed_is_the_same_as_left_alone(tmp_path: Path) -> None:
    script = scenario()
    left_alone = everything(*script.train(tmp_path / "alone", "epoch"), tmp_path / "alone")
    assert left_alone["stopping"][1] < 5, "the best epoch should be one that a resume can forget"
    kill(tmp_path / "killed", "epoch", 5, 3, 2)
    assert latest_checkpoint(tmp_path / "killed" / "backup").position.step == 2
    resumed = everything(*script.train(tmp_path / "killed", "epoch", save_freq=2), tmp_path / "killed")
    assert_same(left_alone, resumed)
    for name in ("best.weights.h5", "smallest.weights.h5"):
        models = [script.make_model(), script.make_model()]
        for model, run in zip(models, ("alone", "killed"), strict=True):
            model.optimizer.build(model.trainable_variables)
            model.load_weights(tmp_path / run / name)
        assert_same(models[0].get_weights(), models[1].get_weights(), name)


class Interruption(Exception):
    """Stands for whatever ends a training: cheaper than killing another process."""


class Interrupter(keras.callbacks.Callback):
    def __init__(self, epoch: int, batch: int = 0) -> None:
        super().__init__()
        self.epoch, self.batch, self.current = epoch, batch, -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.current = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if (self.current, batch) == (self.epoch, self.batch):
            raise Interruption


def small_model(**arguments: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    # JAX compiles anything; a step without compiling takes a tenth of the time here.
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse", run_eagerly=True, **arguments)
    return model


def fit(callbacks: list[Any], epochs: int = 6, model: keras.Model | None = None, **arguments: Any) -> keras.Model:
    model = model or small_model()
    given = {"batch_size": 2, "shuffle": False, "verbose": 0} | arguments
    model.fit(X, Y, epochs=epochs, callbacks=callbacks, **given)
    return model


def interrupt(folder: Path, callbacks: list[Any], epoch: int, batch: int = 0, **arguments: Any) -> None:
    frequency = {"save_freq": arguments.pop("save_freq")} if "save_freq" in arguments else {}
    with pytest.raises(Interruption):
        fit([Resume(folder, callbacks, **frequency), Interrupter(epoch, batch)], **arguments)


@pytest.mark.parametrize(("batch", "save_freq"), [(0, "epoch"), (3, 1)])
@pytest.mark.parametrize("kind", ["arrays", "batches"])
def test_what_keras_shuffles_is_read_in_the_same_order(tmp_path: Path, kind: str, batch: int, save_freq: Any) -> None:
    """By generators that are backed up."""
    if keras.backend.backend() == "tensorflow" and kind == "arrays":
        pytest.skip("TensorFlow draws the order of shuffled arrays within its pipeline")
    script = scenario()

    def train(interrupter: list[Any], **arguments: Any) -> keras.Model:
        data = script.ShuffledBatches(X, Y, batch_size=2, seed=4) if kind == "batches" else None
        given = (data,) if kind == "batches" else (X, Y)
        size = {} if kind == "batches" else {"batch_size": 2}
        model = small_model()
        resume = Resume(tmp_path, data=data, save_freq=save_freq)
        model.fit(*given, epochs=4, verbose=0, callbacks=[resume, *interrupter], **size, **arguments)
        return model

    script.keras_seed()
    left_alone = train([])
    script.keras_seed()
    with pytest.raises(Interruption):
        train([Interrupter(2, batch)])
    np.random.seed(99)
    random.seed(99)
    assert_same(left_alone.get_weights(), train([]).get_weights())


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras takes one batch at a time on PyTorch")
def test_several_batches_at_once_are_read_again_together(tmp_path: Path) -> None:
    model = small_model(steps_per_execution=3)
    with pytest.raises(Interruption):
        fit([Resume(tmp_path, save_freq=1), Interrupter(1, 3)], epochs=2, model=model)
    assert latest_checkpoint(tmp_path).position.step == 3
    resumed = fit([Resume(tmp_path, save_freq=1)], epochs=2, model=small_model(steps_per_execution=3))
    assert_same(resumed.get_weights(), fit([], epochs=2).get_weights())


def scores(epoch: int) -> float:
    """The best is in epoch 1."""
    return [5.0, 1.0, 4.0, 3.0, 2.5, 2.0][epoch]


class Scorer(keras.callbacks.Callback):
    """Puts the score of the epoch into the logs."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["score"] = scores(epoch)


def keras_callbacks(folder: Path) -> tuple[Any, Any]:
    best = keras.callbacks.ModelCheckpoint(
        folder / "best.weights.h5", "score", mode="min", save_best_only=True, save_weights_only=True
    )
    return best, keras.callbacks.EarlyStopping("score", mode="min", patience=3)


def test_the_best_score_survives_and_stops_the_training(tmp_path: Path) -> None:
    interrupt(tmp_path / "backup", [Scorer(), *keras_callbacks(tmp_path)], 2)
    best, stopping = keras_callbacks(tmp_path)
    model = fit([Resume(tmp_path / "backup", [Scorer(), best, stopping])])
    assert best.best == stopping.best == 1.0
    assert stopping.stopped_epoch == 4
    assert model.history.epoch == [0, 1, 2, 3, 4]
    assert model.history.history["score"] == [5.0, 1.0, 4.0, 3.0, 2.5]


def test_keras_backup_and_restore_forgets_the_best_score(tmp_path: Path) -> None:
    """Evidence on the installed Keras for what Resume is there for: a worse epoch becomes the best, none is waited."""
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(Interruption):
        fit([backup, Scorer(), *keras_callbacks(tmp_path), Interrupter(2)])
    best, stopping = keras_callbacks(tmp_path)
    model = fit([backup, Scorer(), best, stopping])
    assert best.best == stopping.best == 2.0, "the best score was 1.0"
    assert stopping.stopped_epoch == 0, "training should have stopped in epoch 4"
    assert model.history.epoch == [2, 3, 4, 5]
    assert len(model.history.history["score"]) == 4, "the history begins in the middle"


def test_a_training_that_was_stopped_stays_so(tmp_path: Path) -> None:
    class Late(keras.callbacks.Callback):
        def on_train_end(self, logs: Any = None) -> None:
            raise Interruption

    best, stopping = keras_callbacks(tmp_path)
    with pytest.raises(Interruption):
        fit([Resume(tmp_path / "backup", [Scorer(), best, stopping, Late()])])
    counter = scenario().Counter()
    best, stopping = keras_callbacks(tmp_path)

    class Late(keras.callbacks.Callback):
        pass

    model = fit([Resume(tmp_path / "backup", [Scorer(), best, stopping, Late()]), counter])
    assert counter.batches == 0
    assert model.history.epoch == [0, 1, 2, 3, 4]
    assert not (tmp_path / "backup").exists(), "a training that is over needs no backup"


def test_a_new_training_after_a_resumed_one_starts_at_its_beginning(tmp_path: Path) -> None:
    interrupt(tmp_path, [], 1, epochs=2)
    model = fit([Resume(tmp_path)], epochs=2)
    counter = scenario().Counter()
    fit([counter], epochs=2, model=model)
    assert counter.batches == 8


def test_arguments_given_anew_are_as_given(tmp_path: Path) -> None:
    interrupt(tmp_path / "backup", [Scorer(), keras.callbacks.EarlyStopping("score", mode="min", patience=1)], 2)
    patient = keras.callbacks.EarlyStopping("score", mode="min", patience=20)
    model = fit([Resume(tmp_path / "backup", [Scorer(), patient])])
    assert patient.patience == 20
    assert model.history.epoch == [0, 1, 2, 3, 4, 5]


def test_the_log_has_each_epoch_once(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"

    class Late(keras.callbacks.Callback):
        """Interrupts after the log was written, and before the backup."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2 and interrupting:
                raise Interruption

    interrupting = True
    logger = keras.callbacks.CSVLogger(log)
    with pytest.raises(Interruption):
        fit([Resume(tmp_path / "backup", [logger, Late()])], epochs=4)
    logger.csv_file.close()
    assert len(log.read_text().splitlines()) == 4
    interrupting = False
    fit([Resume(tmp_path / "backup", [keras.callbacks.CSVLogger(log), Late()])], epochs=4)
    lines = log.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1", "2", "3"]


def test_a_damaged_backup_gives_way_to_the_one_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    interrupt(tmp_path, [], 3)
    *_, last = sorted(tmp_path.glob("*.safetensors"))
    last.write_bytes(last.read_bytes()[:-7])
    resumed = fit([Resume(tmp_path)])
    assert "is damaged" in capsys.readouterr().err
    assert_same(resumed.get_weights(), fit([]).get_weights())


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    interrupt(tmp_path, [Scorer()], 2)
    with pytest.raises(RecipeError, match="callbacks"):
        fit([Resume(tmp_path)])
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    other.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(RecipeError, match="does not fit the model"):
        fit([Resume(tmp_path, [Scorer()])], model=other)
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(b"nothing")
    with pytest.raises(RecipeError, match="damaged"):
        fit([Resume(tmp_path, [Scorer()])])


def test_another_optimizers_state_is_refused(tmp_path: Path) -> None:
    """It has more than this one's, and begins like it: a second moment would have become a momentum."""

    def model(optimizer: Any) -> keras.Model:
        model = small_model()
        model.compile(optimizer, "mse", run_eagerly=True)
        return model

    interrupt(tmp_path, [], 2, model=model(keras.optimizers.Lion(0.1, beta_1=0.5)))
    with pytest.raises(RecipeError, match="does not fit the model: optimizer/2 was saved"):
        fit([Resume(tmp_path)], model=model("sgd"))


class InValidation(keras.callbacks.Callback):
    """Interrupts between the first epoch's last batch and its end."""

    def on_test_begin(self, logs: Any = None) -> None:
        raise Interruption


def batches_of_unknown_number() -> Any:
    """As Keras is told by TensorFlow's and PyTorch's data sets."""
    if keras.backend.backend() == "torch":
        import torch

        class Examples(torch.utils.data.IterableDataset):
            def __iter__(self) -> Any:
                return iter(zip(X, Y, strict=True))

        return torch.utils.data.DataLoader(Examples(), batch_size=2)
    import tensorflow as tf

    signature = tuple(tf.TensorSpec((None, array.shape[1])) for array in (X, Y))
    pairs = [(X[start : start + 2], Y[start : start + 2]) for start in range(0, 8, 2)]
    return tf.data.Dataset.from_generator(lambda: iter(pairs), output_signature=signature)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_a_backup_after_the_last_of_unknown_batches(tmp_path: Path) -> None:
    """Then an interruption in the validation: nothing is left to train of the epoch."""

    def train(callbacks: list[Any]) -> keras.Model:
        model = small_model()
        arguments: Any = {"validation_data": (X, Y), "shuffle": False, "verbose": 0}
        model.fit(batches_of_unknown_number(), epochs=2, callbacks=callbacks, **arguments)
        return model

    with pytest.raises(Interruption):
        train([Resume(tmp_path, save_freq=2), InValidation()])
    assert latest_checkpoint(tmp_path).position.step == 4
    resumed, left_alone = train([Resume(tmp_path, save_freq=2)]), train([])
    assert_same(resumed.get_weights(), left_alone.get_weights())
    assert resumed.history.history == left_alone.history.history


def test_an_interruption_while_batches_are_read_again(tmp_path: Path) -> None:
    """The same model in the same process then goes on: its step trains again."""
    model = small_model()
    for batch in (3, 1):
        with pytest.raises(Interruption):
            fit([Resume(tmp_path, save_freq=1), Interrupter(1, batch)], epochs=2, model=model)
    assert_same(fit([Resume(tmp_path)], epochs=2, model=model).get_weights(), fit([], epochs=2).get_weights())


def test_resumed_between_two_updates_of_accumulated_gradients(tmp_path: Path) -> None:
    def model() -> keras.Model:
        step = GradientAccumulation(small_model(), 3)
        step.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse", run_eagerly=True)
        return step

    interrupt(tmp_path, [], 1, 2, save_freq=1, epochs=2, model=model())
    resumed = fit([Resume(tmp_path)], epochs=2, model=model())
    assert_same(resumed.get_weights(), fit([], epochs=2, model=model()).get_weights())


def test_fewer_batches_than_before_are_an_error(tmp_path: Path) -> None:
    interrupt(tmp_path, [], 1, 3, save_freq=3)
    with pytest.raises(RecipeError, match="now has fewer"):
        fit([Resume(tmp_path, save_freq=3)], batch_size=8)


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    class Secretive(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.secret = object()

    with pytest.warns(UserWarning, match=r"cannot keep Secretive\.secret, a object"):
        fit([Resume(tmp_path, [Secretive()])], epochs=1)


@pytest.mark.parametrize(
    "arguments",
    [{"save_freq": 0}, {"save_freq": "batch"}, {"callbacks": ["early"]}, {"callbacks": [Resume("x")]}, {"data": X}],
)
def test_wrong_arguments(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Resume"):
        Resume("backup", **arguments)


def test_the_order_of_batches_is_a_function_of_seed_and_epoch() -> None:
    script = scenario()
    batches = script.ShuffledBatches(X, Y, batch_size=3, seed=1)
    assert batches.num_batches == 3
    orders = [batches.order(epoch).tolist() for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[1]) == list(range(8))
    batches.epoch = 1
    x, y = batches[2]
    np.testing.assert_array_equal(x, X[orders[1][6:]])
    np.testing.assert_array_equal(y, Y[orders[1][6:]])
    with pytest.raises(ValueError, match="one length"):
        script.ShuffledBatches(X, Y[:-1])
