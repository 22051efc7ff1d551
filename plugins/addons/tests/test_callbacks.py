"""Callbacks that evaluate, write, stop, average and show."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from rich.console import Console

from zoo_addons import SWA, BestByMetric, Histograms, ProgressBar, SampleWriter, TimeBudget, estimate_batch_statistics
from zoo_addons.callbacks import event_file
from zoo_addons.callbacks.png import encode_png

pytestmark = [pytest.mark.backend, pytest.mark.float64]

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = X.sum(axis=1, keepdims=True)
RTOL = 1e-12 if keras.config.floatx() == "float64" else 1e-5


def make_model(layers: tuple[Any, ...] = ()) -> keras.Model:
    last = keras.layers.Dense(1, kernel_initializer="zeros", name="last")
    model = keras.Sequential([keras.Input((3,)), *layers, last])
    # JAX compiles anything; a step without compiling takes a tenth of the time here.
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse", run_eagerly=True)
    return model


def fit(callbacks: list[Any], epochs: int = 3, model: keras.Model | None = None, **arguments: Any) -> keras.Model:
    model = model or make_model()
    given = {"batch_size": 2, "shuffle": False, "verbose": 0} | arguments
    model.fit(X, Y, epochs=epochs, callbacks=callbacks, **given)
    return model


class Recorder(keras.callbacks.Callback):
    """The weights after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[list[np.ndarray]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.weights.append([np.array(array) for array in self.model.get_weights()])


def scores(*values: Any) -> Any:
    """A function of a model that gives these one after the other."""
    iterator = iter(values)

    def score(model: keras.Model) -> Any:
        assert model.name
        return next(iterator)

    return score


# BestByMetric


@pytest.mark.parametrize(("mode", "best"), [("max", 1), ("min", 2)])
def test_the_best_weights_come_back(mode: Any, best: int, tmp_path: Path) -> None:
    recorder, path = Recorder(), tmp_path / "new" / "best.weights.h5"
    keeper = BestByMetric(scores(2.0, 3.0, 1.0, float("nan")), mode, "bleu", None, path, restore_best_weights=True)
    model = fit([recorder, keeper], epochs=4)
    assert (keeper.best, keeper.best_epoch) == ({"max": 3.0, "min": 1.0}[mode], best)
    for found, expected in zip(model.get_weights(), recorder.weights[best], strict=True):
        np.testing.assert_array_equal(found, expected)
    fresh = fit([], epochs=1)
    fresh.load_weights(path)
    np.testing.assert_array_equal(fresh.get_weights()[0], recorder.weights[best][0])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_values_are_in_the_logs_of_those_behind_and_in_the_history(tmp_path: Path) -> None:
    keeper = BestByMetric(scores({"bleu": 1.0, "rouge": 2}, {"bleu": 0.5, "rouge": 3}), monitor="rouge")
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    stop = keras.callbacks.EarlyStopping("bleu", mode="max", patience=1)
    model = fit([keeper, log, stop], epochs=5)
    assert model.history.history["bleu"] == [1.0, 0.5]
    assert "rouge" in (tmp_path / "log.csv").read_text()
    assert keeper.history == [{"epoch": 0, "bleu": 1.0, "rouge": 2.0}, {"epoch": 1, "bleu": 0.5, "rouge": 3.0}]
    assert keeper.best == 3.0


def test_the_last_epoch_is_evaluated_in_any_case() -> None:
    keeper = BestByMetric(scores(1.0, 2.0, 3.0), every=2)
    fit([keeper], epochs=5)
    assert [entry["epoch"] for entry in keeper.history] == [1, 3, 4]


def test_a_function_may_predict_and_evaluate() -> None:
    keeper = BestByMetric(lambda model: model.evaluate(X, Y, verbose=0) + model.predict(X, verbose=0).mean() * 0, "min")
    model = fit([keeper], epochs=2)
    assert keeper.best == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
    assert model.history.history["metric"][1] == keeper.best


def test_the_best_is_kept_as_plain_numbers_and_arrays() -> None:
    keeper = BestByMetric(scores(2.0, float("nan")), restore_best_weights=True)
    fit([keeper], epochs=2)
    other = BestByMetric(scores(1.0), restore_best_weights=True)
    other.set_state(json.loads(json.dumps(keeper.get_state(), allow_nan=False)))
    other.set_arrays(keeper.get_arrays())
    model = fit([other], epochs=1)
    assert (other.best, other.best_epoch, len(other.history)) == (2.0, 0, 3)
    np.testing.assert_array_equal(model.get_weights()[0], keeper.get_arrays()["weights/0"])


@pytest.mark.parametrize(
    "arguments", [{"mode": "auto"}, {"every": 0}, {"filepath": "best.h5"}, {"filepath": "best.pkl"}, {"function": 3}]
)
def test_wrong_arguments_of_best_by_metric(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="BestByMetric"):
        BestByMetric(**{"function": len, **arguments})


@pytest.mark.parametrize("result", ["good", {}, {"a": 1.0, "b": 2.0}, [1.0, 2.0], None])
def test_what_is_no_number_is_an_error(result: Any) -> None:
    with pytest.raises(ValueError, match="BestByMetric"):
        fit([BestByMetric(scores(result))], epochs=1)


# SampleWriter


def test_samples_are_written_each_by_its_kind(tmp_path: Path) -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)

    def samples(model: keras.Model, epoch: int) -> dict[str, Any]:
        return {"text": f"Zeile {epoch} 诗", "rgb": image, "grey": np.array([[0.0, 1.0]]), "raw": b"\x00", "no": None}

    fit([SampleWriter(samples, tmp_path / "s", every=2, suffix=".wav")], epochs=3)
    names = sorted(path.name for path in (tmp_path / "s").iterdir())
    assert names == ["grey-0002.png", "raw-0002.wav", "rgb-0002.png", "text-0002.txt"]
    assert (tmp_path / "s" / "text-0002.txt").read_text(encoding="utf-8") == "Zeile 2 诗"
    pillow = pytest.importorskip("PIL.Image")
    np.testing.assert_array_equal(np.asarray(pillow.open(tmp_path / "s" / "rgb-0002.png")), image)
    np.testing.assert_array_equal(np.asarray(pillow.open(tmp_path / "s" / "grey-0002.png")), [[0, 255]])


def test_a_sample_that_fails_is_reported_and_training_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(model: keras.Model) -> str:
        raise RuntimeError("no such word")

    writers = [SampleWriter(broken, tmp_path), SampleWriter(lambda model: 3.5, tmp_path)]
    (tmp_path / "file").touch()
    writers.append(SampleWriter(lambda model: "text", tmp_path / "file"))
    model = fit(writers, epochs=1)
    assert len(model.history.epoch) == 1
    assert capsys.readouterr().err.count("SampleWriter: no ") == 3
    assert writers[0].errors == ["epoch 1: RuntimeError: no such word"]
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("image", [np.zeros((2, 2, 5), "uint8"), np.zeros((0, 2), "uint8"), np.zeros((2, 2), "int32")])
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a PNG is made of"):
        encode_png(image)


@pytest.mark.parametrize("arguments", [{"every": 0}, {"name": "../x"}])
def test_wrong_arguments_of_sample_writer(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="SampleWriter"):
        SampleWriter(len, "samples", **arguments)


# Histograms


def events(folder: Path) -> dict[int, dict[str, Any]]:
    """Every histogram in a folder by step and tag, as TensorFlow reads them: it checks the CRCs."""
    tf = pytest.importorskip("tensorflow")
    from tensorflow.core.util import event_pb2

    found: dict[int, dict[str, Any]] = {}
    for path in folder.glob("events.out.tfevents.*"):
        for content in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = event_pb2.Event.FromString(content)
            for value in event.summary.value:
                found.setdefault(event.step, {})[value.tag] = value.histo
    return found


def test_histograms_of_weights_and_gradients_can_be_read_back(tmp_path: Path) -> None:
    recorder = Recorder()
    model = fit([recorder, Histograms(tmp_path, (X, Y), bins=5)], epochs=2)
    found = events(tmp_path)
    assert sorted(found) == [1, 2]
    paths = [variable.path for variable in model.trainable_variables]
    assert set(found[2]) == {f"{kind}/{path}" for kind in ("weights", "gradients") for path in paths}
    for step in (1, 2):
        kernel, bias = (array.astype("float64") for array in recorder.weights[step - 1])
        error = X @ kernel + bias - Y
        gradient = 2 * X.T @ error / len(X)
        for tag, array in ((f"weights/{paths[0]}", kernel), (f"gradients/{paths[0]}", gradient)):
            histogram = found[step][tag]
            assert histogram.num == sum(histogram.bucket) == array.size
            assert histogram.sum == pytest.approx(array.sum(), rel=1e-4, abs=1e-6)
            assert histogram.sum_squares == pytest.approx((array**2).sum(), rel=1e-4)
            assert (histogram.min, histogram.max) == pytest.approx((array.min(), array.max()), rel=1e-4, abs=1e-6)
            counts, edges = np.histogram(array, 5)
            assert list(histogram.bucket) == counts.tolist()
            np.testing.assert_allclose(histogram.bucket_limit, edges[1:], rtol=1e-4, atol=1e-6)


def test_gradients_leave_the_model_as_it_was() -> None:
    from zoo_addons.callbacks.histograms import loss_gradients

    model = make_model((keras.layers.BatchNormalization(), keras.layers.Dropout(0.5, seed=1)))
    model.fit(X, Y, verbose=0)
    before = [keras.ops.convert_to_numpy(variable) for variable in [*model.variables, *model.optimizer.variables]]
    before = [np.array(array) for array in before]
    assert any(np.abs(gradient).sum() > 0 for gradient in loss_gradients(model, X, Y, np.ones(8)))
    for variable, array in zip([*model.variables, *model.optimizer.variables], before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), array)


def test_the_check_sum_is_castagnolis() -> None:
    assert event_file.crc32c(b"123456789") == 0xE3069283  # RFC 3720, B.4, has 32 zeros for another
    assert event_file.crc32c(bytes(32)) == 0x8A9136AA


@pytest.mark.parametrize("array", [np.full(3, np.nan), np.zeros(0), np.full((2, 2), 7.0), np.array([np.inf, 1.0])])
def test_arrays_without_a_spread_have_a_histogram(array: np.ndarray, tmp_path: Path) -> None:
    event_file.EventFile(tmp_path).write_histograms({"x": array}, 3)
    finite = array[np.isfinite(array)]
    assert sum(events(tmp_path)[3]["x"].bucket) == finite.size


@pytest.mark.parametrize("arguments", [{"every": 0}, {"bins": 0}, {"data": X}])
def test_wrong_arguments_of_histograms(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Histograms"):
        Histograms("logs", **arguments)


# TimeBudget


class Clock:
    """A clock that a training moves: so many seconds a batch."""

    def __init__(self, seconds: list[float]) -> None:
        self.now, self.seconds = 100.0, seconds

    def callback(self) -> keras.callbacks.Callback:
        clock, epochs = self, []

        class Passing(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                epochs.append(epoch)

            def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
                clock.now += clock.seconds[epochs[-1]] / 4

        return Passing()


@pytest.mark.parametrize(
    ("seconds", "epochs", "reason"),
    [([20, 20, 20, 20, 20], 3, "would not fit"), ([10, 30, 10, 10, 10], 2, "would not fit"), ([99], 1, "used up")],
)
def test_training_ends_within_its_time(
    seconds: list[float], epochs: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(seconds)
    monkeypatch.setattr("zoo_addons.callbacks.time_budget.time.monotonic", lambda: clock.now)
    budget = TimeBudget(minutes=65 / 60)
    model = fit([clock.callback(), budget], epochs=5)
    assert model.history.epoch == list(range(epochs))
    assert reason in budget.stopped
    assert budget.used <= 65 + 25
    assert np.any(model.get_weights()[0]), "what is trained is kept"


def test_a_resumed_run_shares_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([20] * 5)
    monkeypatch.setattr("zoo_addons.callbacks.time_budget.time.monotonic", lambda: clock.now)
    budget = TimeBudget(minutes=65 / 60)
    budget.set_state({"used": 40.0, "epochs": [20.0, 20.0], "epoch_began": 40.0})
    assert len(fit([clock.callback(), budget], epochs=5).history.epoch) == 1
    with pytest.raises(ValueError, match="TimeBudget"):
        TimeBudget(0)


# SWA


def test_the_average_is_the_mean_of_the_epochs() -> None:
    recorder, average = Recorder(), SWA(start_epoch=1, frequency=2)
    model, alone = fit([recorder, average], epochs=6), fit([], epochs=6)
    for index, found in enumerate(model.get_weights()):
        expected = np.mean([weights[index] for weights in (recorder.weights[e] for e in (1, 3, 5))], axis=0)
        np.testing.assert_allclose(found, expected, rtol=RTOL)
    for one, other in zip(model.optimizer.variables, alone.optimizer.variables, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other))


def test_statistics_of_batch_norm_are_those_of_the_data() -> None:
    model = make_model((keras.layers.BatchNormalization(momentum=0.9), keras.layers.Dropout(0.5, seed=1)))
    x = np.random.Generator(np.random.Philox(3)).normal(2.0, 3.0, (7, 3)).astype("float32")
    seeds = np.array(keras.ops.convert_to_numpy(model.layers[1].seed_generator.state))
    assert estimate_batch_statistics(model, x, batch_size=3) == 7
    layer, parts = model.layers[0], (x[:3], x[3:6], x[6:])
    # On JAX the inputs of an eager call stay float32, in double precision too.
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer.moving_mean), x.mean(axis=0), rtol=1e-5)
    variance = sum(len(part) * part.var(axis=0) for part in parts) / 7
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer.moving_variance), variance, rtol=1e-4)
    assert layer.momentum == 0.9
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.layers[1].seed_generator.state), seeds)
    assert estimate_batch_statistics(model, ((part, None) for part in parts), batches=2) == 6
    assert estimate_batch_statistics(make_model(), x) == 0


def test_the_average_goes_with_its_own_statistics() -> None:
    hidden = keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(seed=1), name="hidden")
    model = fit(
        [SWA(0, data=X, batch_size=8)], model=make_model((hidden, keras.layers.BatchNormalization(name="norm")))
    )
    features = X @ np.array(model.get_layer("hidden").kernel) + np.array(model.get_layer("hidden").bias)
    found = keras.ops.convert_to_numpy(model.get_layer("norm").moving_mean)
    np.testing.assert_allclose(found, features.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_the_average_is_kept_as_arrays() -> None:
    recorder, first = Recorder(), SWA(0)

    class Interrupter(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    model = make_model()
    with pytest.raises(KeyboardInterrupt):
        fit([recorder, first, Interrupter()], model=model)
    second = SWA(0)
    second.set_state(json.loads(json.dumps(first.get_state())))
    second.set_arrays(first.get_arrays())
    fit([recorder, second], initial_epoch=2, model=model)
    expected = np.mean([weights[0] for weights in recorder.weights], axis=0)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=RTOL)


def test_an_average_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(ValueError, match=r"SWA\(data=x\)"):
        fit([SWA(0)], model=make_model((keras.layers.BatchNormalization(),)))
    model = make_model()
    model.compile(keras.optimizers.SGD(0.1, use_ema=True), "mse", run_eagerly=True)
    with pytest.raises(ValueError, match="choose one"):
        fit([SWA(0)], model=model)
    with pytest.raises(ValueError, match="start_epoch"):
        SWA(-1)
    with pytest.warns(UserWarning, match="no epoch from 5 on"):
        fit([SWA(5)], epochs=1)


def test_data_that_is_used_up_is_told() -> None:
    """A generator has no examples for a second training; the average would go with the statistics of other weights."""
    model, batches = make_model((keras.layers.BatchNormalization(),)), iter([X])
    fit([SWA(0, data=batches)], epochs=1, model=model)
    with pytest.warns(UserWarning, match="no examples"):
        fit([SWA(0, data=batches)], epochs=1, model=model)


# ProgressBar


class Watcher(keras.callbacks.Callback):
    """What a bar says at each moment."""

    def __init__(self, bar: ProgressBar) -> None:
        super().__init__()
        self.bar, self.seen = bar, []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append(self.bar.counts["batches"])

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append(("test", *self.bar.counts["test"]))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seen.append(("epochs", *self.bar.counts["epochs"]))


def terminal() -> tuple[ProgressBar, io.StringIO]:
    stream = io.StringIO()
    return ProgressBar(console=Console(file=stream, force_terminal=True, width=150)), stream


def test_bars_count_what_is_done() -> None:
    bar, stream = terminal()
    watcher = Watcher(bar)
    model = fit(
        [bar, watcher], epochs=4, initial_epoch=2, batch_size=4, validation_data=(X, Y), validation_batch_size=8
    )
    epoch = [(1, 2), (2, 2), ("test", 1, None), ("epochs", 3, 4)]
    assert watcher.seen == [*epoch, (1, 2), (2, 2), ("test", 1, 1), ("epochs", 4, 4)]
    assert "epoch 3/4" in stream.getvalue()
    assert "epoch 4/4" in stream.getvalue()
    assert "val_loss" in stream.getvalue()
    assert bar.counts == {}, "no bar is left over"
    watcher.seen.clear()
    fit([bar, watcher], epochs=1, batch_size=8, model=model)
    assert watcher.seen == [(1, 1), ("epochs", 1, 1)], "another fit starts anew"


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_bars_do_not_claim_what_they_cannot_know() -> None:
    bar, _ = terminal()
    watcher, lengths = Watcher(bar), iter([3, 2])

    def batches() -> Any:
        for _ in range(next(lengths)):
            yield X, Y

    model = make_model()
    for _ in range(2):
        model.fit(batches(), epochs=1, shuffle=False, verbose=0, callbacks=[bar, watcher])
    assert watcher.seen == [
        *[(1, None), (2, None), (3, None), ("epochs", 1, 1)],
        *[(1, None), (2, None), ("epochs", 1, 1)],
    ]


@pytest.mark.parametrize(("counted", "expected"), [(3, (2, 3)), (1, (2, None))])
def test_a_total_that_proves_wrong_is_dropped(counted: int, expected: tuple[int, int | None]) -> None:
    bar, _ = terminal()
    bar.set_params({"epochs": 3, "steps": None})
    bar.on_train_begin()
    for epoch, length in enumerate((counted, 2)):
        bar.on_epoch_begin(epoch)
        for batch in range(length):
            bar.on_train_batch_end(batch, {"loss": 1.0})
        counts = bar.counts["batches"]
        bar.on_epoch_end(epoch, {"loss": 1.0})
    bar.on_train_end()
    assert counts == expected


def test_several_batches_at_once_do_not_count_too_many() -> None:
    bar, _ = terminal()
    bar.set_params({"epochs": 1, "steps": 10})
    bar.on_train_begin()
    bar.on_epoch_begin(0)
    for last in (3, 7, 11):
        bar.on_train_batch_end(last)
    assert bar.counts["batches"] == (10, 10)
    bar.on_train_end()


@pytest.mark.parametrize(("mode", "lines"), [("auto", 0), ("none", 0), ("lines", 2)])
def test_bars_are_silent_where_there_is_no_terminal(mode: Any, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    fit([ProgressBar(mode)], epochs=2, verbose="auto")
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == lines
    assert captured.out == "", "Keras' own bar gives way"
    with pytest.raises(ValueError, match="ProgressBar"):
        ProgressBar("loud")


def test_evaluation_and_prediction_have_a_bar() -> None:
    bar, _ = terminal()
    watcher, model = Watcher(bar), make_model()
    model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[bar, watcher])
    assert watcher.seen == [("test", 1, 2), ("test", 2, 2)]
    model.predict(X, batch_size=4, verbose=0, callbacks=[bar])
    assert bar.counts == {}
