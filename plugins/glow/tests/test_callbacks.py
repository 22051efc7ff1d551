"""The collapse guard and the sample sheets."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo_glow import CollapseGuard, Glow, SampleSheet

pytestmark = pytest.mark.backend


def small_model(learning_rate=0.5) -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(learning_rate), loss="mse")
    return model


def guarded(model: keras.Model, **options) -> CollapseGuard:
    guard = CollapseGuard(**options)
    guard.set_model(model)
    guard.on_train_begin()
    return guard


def weight(model: keras.Model) -> float:
    return float(model.get_weights()[0][0, 0])


@pytest.mark.parametrize("collapsed", [5.0, float("nan"), float("inf")])
def test_collapse_brings_back_the_best_weights_and_lowers_the_learning_rate(collapsed):
    model = small_model()
    guard = guarded(model, tolerance=1.0, factor=0.1)
    for value, loss in ((1.0, 3.0), (2.0, 2.0), (9.0, collapsed)):
        model.set_weights([np.full((1, 1), value, "float32")])
        guard.on_epoch_end(0, {"loss": loss})
    assert weight(model) == 2.0
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)
    assert guard.collapses == 1


def test_a_small_rise_is_no_collapse():
    model = small_model()
    guard = guarded(model, tolerance=1.0)
    for value, loss in ((1.0, 2.0), (9.0, 2.9)):
        model.set_weights([np.full((1, 1), value, "float32")])
        guard.on_epoch_end(0, {"loss": loss})
    assert weight(model) == 9.0
    assert guard.collapses == 0


def test_guard_sees_nothing_before_its_start_epoch():
    model = small_model()
    guard = guarded(model, start_epoch=2)
    guard.on_epoch_end(0, {"loss": 0.0})
    guard.on_epoch_end(1, {"loss": 100.0})
    assert guard.collapses == 0


class Accident(keras.callbacks.Callback):
    """At epoch 3 the learning rate jumps to one that diverges."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            self.model.optimizer.learning_rate = 3.0


def test_guard_rescues_a_real_training_run():
    """After the accident the loss grows 25-fold a step; the guard goes back, and slows down until it stays."""
    x = np.ones((32, 1), "float32")
    losses = {}
    for guard in ([], [CollapseGuard(tolerance=0.5, factor=0.1)]):
        model = small_model(0.1)
        history = model.fit(x, 2 * x, epochs=8, batch_size=4, verbose=0, callbacks=[Accident(), *guard])
        losses[len(guard)] = history.history["loss"][-1]
    assert losses[1] < 0.01
    assert not losses[0] < 100


def test_guard_refuses_a_learning_rate_schedule():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    with pytest.raises(ValueError, match="schedule"):
        small_model(schedule).fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0, callbacks=[CollapseGuard()])


@pytest.mark.parametrize("options", [{"factor": 0.0}, {"factor": 2.0}, {"tolerance": -1.0}])
def test_guard_refuses_senseless_settings(options):
    with pytest.raises(ValueError, match="needed"):
        CollapseGuard(**options)


def test_guard_keeps_its_state_over_a_resume():
    guard = CollapseGuard()
    guard.best, guard.collapses = 1.25, 2
    twin = CollapseGuard()
    twin.set_state(guard.get_state())
    assert (twin.best, twin.collapses) == (1.25, 2)


def test_sample_sheets_are_written_while_fitting(tmp_path):
    from PIL import Image

    model = Glow((4, 4, 1), levels=1, steps=1, filters=2)
    model.compile(keras.optimizers.SGD(0.0))
    images = np.zeros((4, 4, 4, 1), "uint8")
    model.fit(images, epochs=4, verbose=0, callbacks=[SampleSheet(tmp_path / "sheets", count=4, every=2)])
    names = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert names == ["epoch-0002.png", "epoch-0004.png"]
    sheets = [np.asarray(Image.open(tmp_path / "sheets" / name)) for name in names]
    np.testing.assert_array_equal(*sheets)


@pytest.mark.parametrize("options", [{"count": 0}, {"every": 0}, {"temperature": -0.1}])
def test_sample_sheet_refuses_senseless_settings(options, tmp_path):
    with pytest.raises(ValueError, match="needed"):
        SampleSheet(tmp_path, **options)
