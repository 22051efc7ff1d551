"""Micro-batches against the large batch: equal, whatever the optimizer, the batches' sizes, weights and masks."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import GradientAccumulation

pytestmark = pytest.mark.backend

EAGERLY = keras.backend.backend() == "tensorflow"
"""For a few batches that is quicker than to compile them, but on JAX."""

COMPILED = ["nesterov", "ema"]
"""These are compiled everywhere."""

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.02),
    "adamw": lambda: keras.optimizers.AdamW(0.02, weight_decay=0.1),
    "clipnorm": lambda: keras.optimizers.SGD(0.1, clipnorm=0.05),
    "global_clipnorm": lambda: keras.optimizers.Adam(0.02, global_clipnorm=0.05),
    "clipvalue": lambda: keras.optimizers.SGD(0.1, clipvalue=0.02),
    "ema": lambda: keras.optimizers.Adam(0.02, use_ema=True, ema_momentum=0.8),
    "ema_overwrite": lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
    "schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)),
}

CHOSEN = (
    [*OPTIMIZERS] if keras.backend.backend() != "jax" else ["momentum", "nesterov", "adam", "adamw", "clipnorm", "ema"]
)
"""On JAX, where each is compiled, not those that do nothing new there."""


@keras.saving.register_keras_serializable(package="addons-test")
class Squared(keras.losses.Loss):
    """Squared errors; on JAX `ops.mean`, which Keras' own loss takes, rounds double precision to single."""

    def call(self, y_true, y_pred):
        return ops.sum(ops.square(y_true - y_pred), axis=-1)


def normal(seed):
    return keras.initializers.RandomNormal(stddev=0.5, seed=seed)


def small_model():
    hidden = keras.layers.Dense(4, "relu", kernel_initializer=normal(1), kernel_regularizer="l2")
    return keras.Sequential([keras.Input((3,)), hidden, keras.layers.Dense(1, kernel_initializer=normal(2))])


def data(count, outputs=1):
    random = np.random.default_rng(count)
    floatx = keras.config.floatx()
    return random.normal(size=(count, 3)).astype(floatx), random.normal(size=(count, outputs)).astype(floatx)


def closeness():
    return {"rtol": 0, "atol": 1e-6} if keras.config.floatx() == "float32" else {"rtol": 0, "atol": 1e-12}


def weights(model):
    return [np.array(weight) for weight in model.get_weights()]


def require_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **closeness())


def train(model, batches, **compiled):
    """One `train_on_batch` for each tuple of arrays."""
    model.compile(**compiled, run_eagerly=EAGERLY)
    for batch in batches:
        model.train_on_batch(*batch)
    return model


def pieces(arrays, *ends):
    """Every array cut at the same places."""
    starts = (0, *ends[:-1])
    return [
        tuple(keras.tree.map_structure(lambda array, cut=slice(start, end): array[cut], arrays))
        for start, end in zip(starts, ends, strict=True)
    ]


@pytest.mark.float64
@pytest.mark.parametrize("name", CHOSEN)
def test_equal_to_the_large_batch(name):
    """Two epochs of three micro-batches of 4 and two of 12, by `fit`; average and number of updates are the same."""
    x, y = data(24)
    found = []
    for step, size in ((lambda model: model, 12), (lambda model: GradientAccumulation(model, 3), 4)):
        model = small_model()
        trained = step(model)
        trained.compile(OPTIMIZERS[name](), Squared(), run_eagerly=EAGERLY and name not in COMPILED)
        trained.fit(x, y, batch_size=size, epochs=2, shuffle=False, verbose=0)
        found.append((weights(model), int(ops.convert_to_numpy(trained.optimizer.iterations))))
    require_same(found[1][0], found[0][0])
    assert found[0][1] == found[1][1] == 4


@pytest.mark.float64
def test_micro_batches_of_any_size_with_weights():
    """Batches of 4, 4 and 2 are one of 10: each counts by its examples, whatever they weigh."""
    arrays = (*data(10), np.linspace(0, 2, 10))
    whole = train(small_model(), [arrays], optimizer=OPTIMIZERS["adam"](), loss=Squared())
    step = GradientAccumulation(small_model(), 3)
    train(step, pieces(arrays, 4, 8, 10), optimizer=OPTIMIZERS["adam"](), loss=Squared())
    require_same(weights(step.model), weights(whole))


@pytest.mark.parametrize("reduction", ["sum", "mean", "mean_with_sample_weight"])
def test_every_reduction(reduction):
    arrays = (*data(10), np.linspace(0, 2, 10))
    loss = Squared(reduction=reduction)
    whole = train(small_model(), [arrays], optimizer=OPTIMIZERS["sgd"](), loss=loss)
    # With a sum, regularisation has a denominator of its own: it counts once, and the sum is not divided.
    step = GradientAccumulation(small_model(), 3, denominators=2 if reduction == "sum" else 1)
    train(step, pieces(arrays, 4, 8, 10), optimizer=OPTIMIZERS["sgd"](), loss=loss)
    require_same(weights(step.model), weights(whole))


def tagger(heads=1, ignore=None):
    """Sequences of tokens, of which 0 is none; each head says something of every token."""
    tokens = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(9, 4, mask_zero=ignore is None, embeddings_initializer=normal(3))(tokens)
    layers = [keras.layers.Dense(5, kernel_initializer=normal(head)) for head in range(heads)]
    outputs = [layer(embedded) for layer in layers]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignore)
    return keras.Model(tokens, outputs[0] if heads == 1 else outputs), loss


def sentences(count=8, length=6):
    random = np.random.default_rng(1)
    lengths = random.integers(1, length + 1, count)
    tokens = np.where(np.arange(length) < lengths[:, None], random.integers(1, 9, (count, length)), 0)
    return tokens.astype("int32"), random.integers(0, 5, (count, length)).astype("int32")


@pytest.mark.float64
@pytest.mark.parametrize("how", ["mask", "ignore_class"])
def test_masked_tokens_count_by_how_many_are_real(how):
    tokens, labels = sentences()
    ignore = None
    if how == "ignore_class":
        ignore, labels = -1, np.where(tokens == 0, -1, labels)
    models = []
    for step in (lambda model: model, lambda model: GradientAccumulation(model, 3)):
        model, loss = tagger(ignore=ignore)
        trained = step(model)
        cut = [(tokens, labels)] if trained is model else pieces((tokens, labels), 3, 6, 8)
        train(trained, cut, optimizer=OPTIMIZERS["sgd"](), loss=loss)
        models.append(model)
    require_same(weights(models[1]), weights(models[0]))


def test_outputs_with_masks_of_their_own_need_sums_of_their_own():
    """One head sees all tokens, the other only those whose label is no -1."""
    tokens, labels = sentences()
    arrays = (tokens, [labels, np.where(labels > 2, -1, labels)])
    losses = [
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignore) for ignore in (None, -1)
    ]
    whole, _ = tagger(2)
    train(whole, [arrays], optimizer=OPTIMIZERS["sgd"](), loss=losses, loss_weights=[0.5, 2.0])
    model, _ = tagger(2)
    step = GradientAccumulation(model, 3, denominators=2)
    cut = pieces(arrays, 3, 6, 8)
    train(step, cut, optimizer=OPTIMIZERS["sgd"](), loss=losses, loss_weights=[0.5, 2.0])
    require_same(weights(model), weights(whole))

    step = GradientAccumulation(tagger(2)[0], 3)
    step.compile("sgd", losses)
    with pytest.raises(ValueError, match=r"denominators=2\)"):
        step.train_on_batch(*cut[0])


def two_lengths():
    """Tags for tokens, as many as there are, and one number for all of them; batches of 3, 5 and 4 tokens."""
    random = np.random.default_rng(2)
    batches = []
    for length in (3, 5, 4):
        tokens, labels = (random.integers(0, limit, (2, length)).astype("int32") for limit in (9, 5))
        batches.append((tokens, [labels, np.ones((2, 1), "float32")]))
    tokens = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(9, 4, embeddings_initializer=normal(3))(tokens)
    pooled = keras.layers.GlobalAveragePooling1D()(embedded)
    outputs = [keras.layers.Dense(5, kernel_initializer=normal(5))(embedded), keras.layers.Dense(1)(pooled)]
    return keras.Model(tokens, outputs), batches


def test_a_length_that_varies_beside_one_that_does_not():
    """Each loss is divided by how many elements there were of it: a step along the mean of steps by batch."""
    losses = [keras.losses.SparseCategoricalCrossentropy(from_logits=True), Squared()]
    model, batches = two_lengths()
    start = weights(model)
    train(GradientAccumulation(model, 3, denominators=2), batches, optimizer=OPTIMIZERS["sgd"](), loss=losses)
    expected = start
    plain, _ = two_lengths()
    for own, counts in (([1.0, 0.0], [3, 5, 4]), ([0.0, 1.0], [1, 1, 1])):
        train(plain, [], optimizer=OPTIMIZERS["sgd"](), loss=losses, loss_weights=own)
        for batch, count in zip(batches, counts, strict=True):
            plain.set_weights(start)
            plain.train_on_batch(*batch)
            share = count / sum(counts)
            moves = [share * (new - old) for new, old in zip(weights(plain), start, strict=True)]
            expected = [one + move for one, move in zip(expected, moves, strict=True)]
    require_same(weights(model), expected)

    step = GradientAccumulation(two_lengths()[0], 3)
    with pytest.raises(ValueError, match=r"denominators=2\)"):
        train(step, batches, optimizer="sgd", loss=losses)


def test_a_batch_of_nothing_but_masked_tokens():
    """Counts for nothing, alone too: no NaN."""
    tokens, labels = sentences()
    tokens[:2] = 0
    model, loss = tagger()
    whole = train(model, [(tokens, labels)], optimizer=OPTIMIZERS["sgd"](), loss=loss)
    model, loss = tagger()
    train(GradientAccumulation(model, 2), pieces((tokens, labels), 2, 8), optimizer=OPTIMIZERS["sgd"](), loss=loss)
    require_same(weights(model), weights(whole))
    before = weights(model)
    train(GradientAccumulation(model, 1), [(tokens[:2], labels[:2])], optimizer=OPTIMIZERS["sgd"](), loss=loss)
    require_same(weights(model), before)


class Penalised(keras.layers.Layer):
    """Adds a mean over examples to the loss."""

    def call(self, x):
        self.add_loss(ops.sum(ops.square(x)) / ops.cast(ops.shape(x)[0], x.dtype))
        return x


@pytest.mark.float64
def test_add_loss_is_a_mean_over_examples_beside_masks_and_sums():
    x, y = data(8)
    tokens, labels = sentences()
    arrays = ([x, tokens], [y, labels])

    def model():
        numbers = keras.Input((3,))
        number = keras.layers.Dense(1, kernel_initializer=normal(4))(Penalised()(numbers))
        number = Penalised()(number)
        inner, _ = tagger()
        return keras.Model([numbers, inner.input], [number, inner.output])

    loss = [Squared(), tagger()[1]]
    whole = train(model(), [arrays], optimizer=OPTIMIZERS["sgd"](), loss=loss)
    step = GradientAccumulation(model(), 3, denominators=2)
    cut = [([x[a:b], tokens[a:b]], [y[a:b], labels[a:b]]) for a, b in ((0, 3), (3, 6), (6, 8))]
    train(step, cut, optimizer=OPTIMIZERS["sgd"](), loss=loss)
    require_same(weights(step.model), weights(whole))


def test_what_is_left_at_the_end_of_an_epoch_is_applied_before_validation():
    """7 batches of 2 by 3: updates by 6, 6 and 2 examples, as large batches of 6 would have it; in each epoch."""
    x, y = data(14)
    found = []
    for step, size in ((lambda model: model, 6), (lambda model: GradientAccumulation(model, 3), 2)):
        model = small_model()
        trained = step(model)
        trained.compile(OPTIMIZERS["momentum"](), Squared(), run_eagerly=EAGERLY)
        history = trained.fit(x, y, batch_size=size, epochs=2, shuffle=False, verbose=0, validation_data=(x, y))
        found.append((weights(model), history.history["val_loss"]))
    require_same(*(weights for weights, _ in found))
    require_same(*(losses for _, losses in found))


def test_it_goes_on_where_it_was_saved_between_two_updates(tmp_path):
    arrays = data(12)
    batches = pieces(arrays, 4, 8, 12)
    whole = train(small_model(), [arrays], optimizer=OPTIMIZERS["adam"](), loss=Squared())
    step = train(GradientAccumulation(small_model(), 3), batches[:2], optimizer=OPTIMIZERS["adam"](), loss=Squared())
    assert step.pending == 2
    step.save(tmp_path / "step.keras")
    same = keras.saving.load_model(tmp_path / "step.keras")
    assert (same.pending, same.steps) == (2, 3)
    same.train_on_batch(*batches[2])
    assert same.pending == 0
    require_same(weights(same.model), weights(whole))


def test_flush_is_for_those_who_train_batch_by_batch():
    arrays = data(8)
    whole = train(small_model(), [arrays], optimizer=OPTIMIZERS["adam"](), loss=Squared())
    step = train(GradientAccumulation(small_model(), 3), pieces(arrays, 4, 8), optimizer="adam", loss=Squared())
    step.optimizer.learning_rate = 0.02
    before = weights(step.model)
    step.flush()
    require_same(weights(step.model), weights(whole))
    step.flush()
    assert int(ops.convert_to_numpy(step.optimizer.iterations)) == 1
    assert np.abs(before[0] - weights(step.model)[0]).max() > 0.01


def test_a_batch_that_overflows_drops_its_large_batch():
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones", dtype="mixed_float16")])
    model.dtype_policy = keras.DTypePolicy("mixed_float16")
    model.build((None, 3))
    x, y = data(12)
    x *= 0.1
    x[:4] *= 1e6
    step = train(GradientAccumulation(model, 3), pieces((x, y), 4, 8, 12), optimizer="sgd", loss=Squared())
    np.testing.assert_array_equal(weights(model)[0], np.ones((3, 1)))
    assert float(step.optimizer.dynamic_scale) == 2**14
    for batch in pieces((x[4:], y[4:]), 2, 4, 8):
        step.train_on_batch(*batch)
    assert np.abs(weights(model)[0] - 1).max() > 0
    assert np.isfinite(weights(model)[0]).all()


@pytest.mark.parametrize("flaw", ["ema", "ragged", "leftovers"])
def test_what_keras_own_accumulation_gets_wrong(flaw):
    """The reason for this class: the same three trainings, far from the large batch with Keras' own accumulation."""
    optimizers = keras.optimizers
    count = 18 if flaw == "ema" else 12
    x, y = data(count)
    keywords = {"use_ema": True, "ema_momentum": 0.5} if flaw == "ema" else {}
    ends = {"ema": range(2, 20, 2), "ragged": (5, 10, 12), "leftovers": (3, 6, 9, 12)}[flaw]
    # Of leftovers Keras' own keeps the gradients for the next epoch, if there is one.
    size, steps = {"ema": 6, "ragged": 12, "leftovers": 9}[flaw], 3

    def fitted(model, batches, optimizer):
        model.compile(optimizer, Squared(), run_eagerly=EAGERLY)
        model.fit(Batches(batches), epochs=1, shuffle=False, verbose=0)
        return weights(getattr(model, "model", model))

    large = fitted(small_model(), pieces((x, y), *range(size, count, size), count), optimizers.SGD(0.5, **keywords))
    theirs = fitted(
        small_model(), pieces((x, y), *ends), optimizers.SGD(0.5, gradient_accumulation_steps=steps, **keywords)
    )
    ours = GradientAccumulation(small_model(), steps)
    require_same(fitted(ours, pieces((x, y), *ends), optimizers.SGD(0.5, **keywords)), large)
    assert max(np.abs(one - other).max() for one, other in zip(theirs, large, strict=True)) > 1e-3


class Batches(keras.utils.PyDataset):
    """Batches as they are given."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def test_weights_can_be_loaded_before_the_first_batch(tmp_path):
    step = train(GradientAccumulation(small_model(), 3), [data(4)], optimizer="sgd", loss=Squared())
    step.save_weights(tmp_path / "step.weights.h5")
    same = GradientAccumulation(small_model(), 3)
    same.compile("sgd", Squared())
    same.optimizer.build(same.trainable_variables)
    same.load_weights(tmp_path / "step.weights.h5")
    assert same.pending == 1
    require_same(same.get_weights(), step.get_weights())


@pytest.mark.parametrize(("steps", "denominators"), [(0, 1), (2.0, 1), (True, 1), (2, 0)])
def test_arguments_that_make_no_sense_are_refused(steps, denominators):
    with pytest.raises(ValueError, match="must be an integer of at least 1"):
        GradientAccumulation(small_model(), steps, denominators)


def test_accumulating_twice_is_refused():
    step = GradientAccumulation(small_model(), 2)
    step.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), Squared())
    with pytest.raises(ValueError, match="accumulates gradients too"):
        step.train_on_batch(*data(4))


def test_layers_that_thaw_later_are_refused():
    step = GradientAccumulation(small_model(), 2)
    step.model.layers[0].trainable = False
    train(step, [data(4)], optimizer="sgd", loss=Squared())
    step.model.layers[0].trainable = True
    step.compile("sgd", Squared())
    with pytest.raises(ValueError, match="trainable than when this was built"):
        step.train_on_batch(*data(4))
