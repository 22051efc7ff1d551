"""Lazy Adam against NumPy, row by row, on sparse and dense gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import LazyAdam

pytestmark = [pytest.mark.backend, pytest.mark.float64]

BACKEND = keras.backend.backend()
FLOATX = keras.config.floatx()
CLOSE = {"rtol": 1e-12, "atol": 1e-14} if FLOATX == "float64" else {"rtol": 2e-5, "atol": 1e-7}
TO_KERAS = {"rtol": 2e-5, "atol": 1e-6}
"""Keras' Adam rounds its decays to single precision on TensorFlow, also where it computes in double."""
ROWS, WIDTH = 6, 3
BATCHES = [[0, 2, 2, 5], [2, 2, 2, 3], [0, 0, 1, 1], [5, 1, 5, 1], [2, 3, 2, 0]]
"""Row 4 is never used, most others not in every batch, some several times."""


def draw(seed=0):
    rng = np.random.default_rng(seed)
    start = rng.normal(size=(ROWS, WIDTH))
    return start, [rng.normal(size=(len(batch), WIDTH)) for batch in BATCHES]


def reference(start, batches, values, *, moments, rate=0.01, decay=0.0, b1=0.9, b2=0.999, epsilon=1e-7):
    """The definition: for every row, what Adam does where it has a gradient; moments of the others wait or decay."""
    w, m, v = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for step, (batch, gradients) in enumerate(zip(batches, values, strict=True), 1):
        for row in range(len(w)):
            uses = [gradient for used, gradient in zip(batch, gradients, strict=True) if used == row]
            if not uses and moments == "touched":
                continue
            g = np.sum(uses, axis=0) if uses else np.zeros(w.shape[1])
            m[row] = b1 * m[row] + (1 - b1) * g
            v[row] = b2 * v[row] + (1 - b2) * g**2
            if uses:
                size = rate * np.sqrt(1 - b2**step) / (1 - b1**step)
                w[row] = w[row] - size * m[row] / (np.sqrt(v[row]) + epsilon) - rate * decay * w[row]
    return w


def gradient_of(batch, values):
    """As the backend gives it: sparse with repeated rows, or dense."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.IndexedSlices(tf.constant(values, FLOATX), tf.constant(batch), (ROWS, WIDTH))
    return dense_gradient(batch, values)


def dense_gradient(batch, values):
    table = np.zeros((ROWS, WIDTH))
    np.add.at(table, batch, values)
    return ops.convert_to_tensor(table.astype(FLOATX))


def run(optimizer, start, values, make=gradient_of):
    table = keras.Variable(start.astype(FLOATX), name="embeddings")
    for batch, gradients in zip(BATCHES, values, strict=True):
        optimizer.apply([make(batch, gradients)], [table])
    return ops.convert_to_numpy(table)


@pytest.mark.parametrize("make", [gradient_of, dense_gradient])
@pytest.mark.parametrize("moments", ["touched", "all"])
@pytest.mark.parametrize("decay", [None, 0.1])
def test_rows_move_as_the_definition_says(moments, decay, make):
    start, values = draw()
    found = run(LazyAdam(0.01, moments=moments, weight_decay=decay), start, values, make)
    expected = reference(start, BATCHES, values, moments=moments, decay=decay or 0.0)
    np.testing.assert_allclose(found, expected, **CLOSE)
    np.testing.assert_array_equal(found[4], start.astype(FLOATX)[4])


def test_the_two_policies_differ():
    start, values = draw()
    one, other = (reference(start, BATCHES, values, moments=moments) for moments in ("touched", "all"))
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("moments", ["touched", "all"])
def test_a_row_without_a_gradient_does_not_move(moments):
    """Adam would move it by its momentum; and a row that is named with a gradient of zero has none."""
    start, values = draw()
    optimizer = LazyAdam(0.01, moments=moments)
    table = keras.Variable(start.astype(FLOATX), name="embeddings")
    optimizer.apply([gradient_of(BATCHES[0], values[0])], [table])
    before = ops.convert_to_numpy(table).copy()
    optimizer.apply([gradient_of([0, 1, 1], np.array([[0] * 3, [1, 2, 3], [0] * 3]))], [table])
    after = ops.convert_to_numpy(table)
    np.testing.assert_array_equal(after[[0, 2, 3, 4, 5]], before[[0, 2, 3, 4, 5]])
    assert (after[1] != before[1]).all()


def test_what_is_no_table_is_updated_as_by_adam():
    start, values = draw()
    variables = [keras.Variable(start.astype(FLOATX), name="kernel") for _ in range(2)]
    optimizers = [LazyAdam(0.01, weight_decay=0.1), keras.optimizers.Adam(0.01, weight_decay=0.1)]
    for batch, gradients in zip(BATCHES, values, strict=True):
        for optimizer, variable in zip(optimizers, variables, strict=True):
            optimizer.apply([dense_gradient(batch, gradients)], [variable])
    found, expected = (ops.convert_to_numpy(variable) for variable in variables)
    np.testing.assert_allclose(found, expected, **TO_KERAS)


def test_other_names_can_be_tables():
    start, values = draw()
    kernel = keras.Variable(start.astype(FLOATX), name="kernel")
    optimizer = LazyAdam(0.01, tables="kernel|embeddings")
    for batch, gradients in zip(BATCHES, values, strict=True):
        optimizer.apply([dense_gradient(batch, gradients)], [kernel])
    expected = reference(start, BATCHES, values, moments="touched")
    np.testing.assert_allclose(ops.convert_to_numpy(kernel), expected, **CLOSE)


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_clipping_sees_the_sum_of_repeated_rows(clip):
    """Four gradients of 0.6 and 0.8 to one row are one of 2.4 and 3.2, whose norm is 4."""
    table = keras.Variable(np.zeros((2, 2), FLOATX), name="embeddings")
    optimizer = LazyAdam(1.0, beta_1=0.0, beta_2=0.0, epsilon=1.0, **{clip: 1.0})
    values = np.tile([[0.6, 0.8]], (4, 1))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        gradient = tf.IndexedSlices(tf.constant(values, FLOATX), [0] * 4, (2, 2))
    else:
        gradient = ops.convert_to_tensor(np.array([values.sum(0), [0, 0]], FLOATX))
    optimizer.apply([gradient], [table])
    clipped = np.array([1.0, 1.0] if clip == "clipvalue" else [0.6, 0.8])
    np.testing.assert_allclose(ops.convert_to_numpy(table)[0], -clipped / (clipped + 1), rtol=1e-5)


def classifier(optimizer, seed=0, **compile_arguments):
    keras.utils.clear_session()
    rng = np.random.default_rng(seed)
    model = keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            keras.layers.Embedding(ROWS, WIDTH),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ]
    )
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    model.compile(optimizer, loss="mse", **compile_arguments)
    return model


INPUTS, TARGETS = np.array(BATCHES), np.arange(5.0)[:, None]


def test_fit_leaves_unseen_rows_alone():
    model = classifier(LazyAdam(0.01))
    before = model.get_weights()[0].copy()
    model.fit(INPUTS, TARGETS, batch_size=2, epochs=2, verbose=0)
    after = model.get_weights()[0]
    np.testing.assert_array_equal(after[4], before[4])
    assert (after[[0, 1, 2, 3, 5]] != before[[0, 1, 2, 3, 5]]).all()


class DenseAdam(keras.optimizers.AdamW):
    """Keras' own, given dense gradients: of sparse ones it squares each use of a row, and not their sum."""

    def apply(self, grads, trainable_variables=None):
        if BACKEND == "tensorflow":
            import tensorflow as tf

            grads = [tf.convert_to_tensor(gradient) for gradient in grads]
        super().apply(grads, trainable_variables)


@pytest.mark.parametrize(
    "arguments",
    [
        {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
        {"gradient_accumulation_steps": 2},
        {"loss_scale_factor": 4.0},
        {"clipnorm": 0.1},
        {"global_clipnorm": 0.1},
        {"clipvalue": 0.1},
        {"weight_decay": 0.1},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
# TensorFlow, where Keras adds a sparse gradient to its dense accumulator.
@pytest.mark.filterwarnings("ignore:Converting sparse IndexedSlices")
def test_where_every_row_is_used_it_is_adam(arguments):
    start, _ = draw()
    batch, values = [0, 1, 2, 3, 4, 5, 5, 5], np.random.default_rng(1).normal(size=(4, 8, WIDTH))
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.5)
    tables = []
    for make in (LazyAdam, lambda rate, **rest: DenseAdam(rate, **{"weight_decay": 0.0, **rest})):
        table, optimizer = keras.Variable(start.astype(FLOATX), name="embeddings"), make(schedule, **arguments)
        for gradients in values:
            optimizer.apply([gradient_of(batch, gradients)], [table])
        tables.append(ops.convert_to_numpy(table))
    np.testing.assert_allclose(*tables, **TO_KERAS)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = classifier(LazyAdam(0.01))
        before = model.get_weights()[0].copy()
        model.fit(INPUTS, TARGETS, batch_size=5, epochs=3, verbose=0)
    finally:
        keras.config.set_dtype_policy(previous)
    after = model.get_weights()[0]
    np.testing.assert_array_equal(after[4], before[4])
    assert (after[2] != before[2]).all()
    assert np.isfinite(after).all()


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch compiles nothing here")
def test_compiled_by_xla():
    compiled, plain = (classifier(LazyAdam(0.01, moments="all"), jit_compile=jit) for jit in (True, False))
    for model in (compiled, plain):
        model.fit(INPUTS, TARGETS, batch_size=2, epochs=2, verbose=0, shuffle=False)
    for one, other in zip(compiled.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_saved_in_the_middle_it_goes_on_as_if_nothing_had_been(tmp_path):
    model = classifier(LazyAdam(0.01, moments="all"))
    model.fit(INPUTS, TARGETS, batch_size=2, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.fit(INPUTS, TARGETS, batch_size=2, verbose=0, shuffle=False)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_pure_float16_stays_finite():
    table = keras.Variable(np.ones((3, 2)), dtype="float16", name="embeddings")
    optimizer = LazyAdam(0.01)
    for scale in (0.0, 1e-4, 100.0):
        optimizer.apply([ops.convert_to_tensor(np.full((3, 2), scale, "float16"))], [table])
    assert np.isfinite(ops.convert_to_numpy(table)).all()


@pytest.mark.parametrize(
    "arguments",
    [{"beta_1": 1.0}, {"beta_2": -0.1}, {"epsilon": -1e-8}, {"moments": "none"}, {"beta_1": "0.9"}, {"tables": "("}],
    ids=str,
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        LazyAdam(**arguments)
