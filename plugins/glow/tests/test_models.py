"""The three flows: likelihood, latents, sampling, training, errors, saving."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from zoo_glow import NICE, Flow, Glow, MultiScale, NegativeLogLikelihood, RealNVP, bits_per_dim
from zoo_glow.layers.chain import Chain
from zoo_glow.layers.shapes import Flatten

pytestmark = pytest.mark.backend

MODELS = {
    "glow": lambda: Glow((8, 8, 1), levels=2, steps=2, filters=4),
    "glow-additive": lambda: Glow((4, 4, 3), levels=2, steps=(1, 2), filters=(4, 3), depth=1, coupling="additive"),
    "glow-positions": lambda: Glow((4, 8, 2), levels=1, steps=2, filters=4, positions=True, preprocess="gaussianize"),
    "realnvp": lambda: RealNVP((8, 4, 1), levels=2, couplings=2, filters=4, depth=1),
    "nice": lambda: NICE((5, 4, 1), couplings=3, units=8, depth=2, preprocess="logit"),
}


@pytest.fixture(params=MODELS, ids=list(MODELS))
def model(request, scramble):
    """A flow with scrambled weights."""
    return scramble(MODELS[request.param](), 0.1)


def images(model: Flow, n: int, seed: int = 1) -> np.ndarray:
    """Random images that a model takes."""
    generator = np.random.Generator(np.random.Philox(seed))
    return generator.integers(0, 256, (n, *model.image_shape), dtype=np.uint8)


@pytest.mark.float64
def test_flow_inverts_in_model_space(model, rng):
    x = rng.uniform(-0.49, 0.49, (3, *model.image_shape)).astype(keras.config.floatx())
    z, forward = model.bijector(x)
    restored, backward = model.bijector.inverse(z)
    tolerance = {"float32": 1e-4, "float64": 1e-9}[keras.config.floatx()]
    assert np.abs(np.asarray(restored) - x).max() < tolerance
    np.testing.assert_allclose(np.asarray(forward), -np.asarray(backward), atol=5e-4)


@pytest.mark.float64
def test_log_det_of_a_flow_is_that_of_the_brute_force_jacobian(model, rng, jacobian):
    x = rng.uniform(-0.45, 0.45, (1, *model.image_shape)).astype(keras.config.floatx())
    _, expected = np.linalg.slogdet(jacobian(lambda v: model.bijector(v)[0], x[0]))
    tolerance = 1e-5 * max(1.0, abs(expected)) if keras.config.floatx() == "float32" else 1e-9
    assert float(model.bijector(x)[1][0]) == pytest.approx(expected, abs=tolerance)


def test_images_survive_encoding_and_decoding(model):
    x = images(model, 5)
    z = model.encode(x)
    assert z.shape == (5, model.dimensions)
    np.testing.assert_array_equal(model.decode(z), x)


def test_log_prob_of_an_image_does_not_depend_on_the_others(model):
    x = images(model, 4)
    others = np.concatenate([x[:1], 255 - x[1:]])
    assert model.log_prob(x)[0] == pytest.approx(model.log_prob(others)[0], rel=1e-6)
    assert model.log_prob(x)[0] == pytest.approx(model.log_prob(x[:1])[0], rel=1e-6)


def test_log_prob_of_many_images_is_that_of_few(model):
    x = np.concatenate([images(model, 3)] * 400)
    many = model.log_prob(x)
    assert many.shape == (1200,)
    np.testing.assert_allclose(many[:3], model.log_prob(x[:3]), rtol=1e-5)


def test_bits_per_dim_is_log_prob_in_bits(model):
    x = images(model, 3)
    expected = -model.log_prob(x) / (np.log(2) * model.dimensions)
    np.testing.assert_allclose(model.bits_per_dim(x), expected, rtol=1e-6)


def test_dequantisation_noise_depends_on_the_seed(model):
    x = images(model, 2)
    np.testing.assert_array_equal(model.log_prob(x, seed=3), model.log_prob(x, seed=3))
    assert (model.log_prob(x, seed=3) != model.log_prob(x, seed=4)).all()


def test_samples_are_images_fixed_by_their_seed(model):
    first, again, other = (model.sample(3, 0.7, seed) for seed in (1, 1, 2))
    assert first.dtype == np.uint8
    assert first.shape == (3, *model.image_shape)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_zero_temperature_draws_one_image(model):
    x = model.sample(3, temperature=0.0)
    np.testing.assert_array_equal(x[0], x[1])


def test_interpolation_ends_at_its_images(model):
    a, b = images(model, 2)
    path = model.interpolate(a, b, steps=4)
    assert path.shape == (4, *model.image_shape)
    np.testing.assert_array_equal(path[0], a)
    np.testing.assert_array_equal(path[-1], b)


def test_config_rebuilds_the_flow(model):
    twin = type(model).from_config(json.loads(json.dumps(model.get_config())))
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.sample(2, seed=5), model.sample(2, seed=5))


def test_saved_and_loaded_keras_file_gives_equal_samples(model, tmp_path):
    model.save(tmp_path / "flow.keras")
    twin = keras.saving.load_model(tmp_path / "flow.keras")
    np.testing.assert_array_equal(twin.sample(2, seed=5), model.sample(2, seed=5))


def test_fit_needs_no_more_than_an_optimizer(model):
    x = np.full((64, *model.image_shape), 7, np.uint8)
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(x, batch_size=16, epochs=4, verbose=0).history["loss"]
    assert model.initialised
    assert history[-1] < history[0]


@pytest.mark.parametrize("kind", ["tensor", "generator", "dataset", "positional"])
def test_fit_takes_what_keras_takes(kind):
    class Halves(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return x[4 * index : 4 * index + 4]

    model = MODELS["glow"]()
    model.compile(keras.optimizers.SGD(0.0))
    x = images(model, 8)
    if kind == "generator":
        history = model.fit(((x[start : start + 4],) for start in (0, 4)), steps_per_epoch=2, shuffle=False, verbose=0)
    elif kind == "positional":
        history = model.fit(x, None, 4, verbose=0)
    else:
        history = model.fit(ops.convert_to_tensor(x) if kind == "tensor" else Halves(), verbose=0)
    assert model.initialised
    assert history.history["loss"][0] == pytest.approx(model.bits_per_dim(x).mean(), rel=0.1)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw", "lion", "muon", "adafactor"])
def test_any_optimizer_of_keras_trains_a_flow(optimizer):
    model = NICE((4, 4, 1), couplings=2, units=4, depth=1)
    before = model.get_weights()
    model.compile(optimizer)
    losses = model.fit(images(model, 16), batch_size=8, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


def test_training_compiles_with_xla():
    model = Glow((4, 4, 1), levels=1, steps=1, filters=2, preprocess="gaussianize")
    model.compile(keras.optimizers.Adam(), jit_compile=True)
    x = images(model, 8)
    assert np.isfinite(model.fit(x, batch_size=8, verbose=0).history["loss"]).all()
    assert model.evaluate(x, verbose=0) == pytest.approx(model.bits_per_dim(x).mean(), rel=0.1)


def test_images_of_weight_zero_do_not_count():
    model = Flow((4, 4, 1), MultiScale([Chain([Flatten()])]))
    model.compile(keras.optimizers.SGD(0.0))
    x = images(model, 8)
    assert model.evaluate(x, np.zeros(8), sample_weight=np.zeros(8), verbose=0) == 0


@pytest.mark.parametrize(("wrong", "error"), [("dtype", TypeError), ("shape", ValueError)])
def test_training_on_what_is_no_image_is_refused(wrong, error):
    model = MODELS["glow"]()
    model.initialise(images(model, 8))
    model.compile("sgd")
    x = np.zeros((8, 8, 8, 1), "float32") if wrong == "dtype" else np.zeros((8, 8, 4, 1), "uint8")
    with pytest.raises(error, match="takes"):
        model.fit(x, verbose=0)


def test_flow_of_ones_own_bijectors_is_saved_and_loaded(tmp_path):
    model = Flow((4, 4, 1), MultiScale([Chain([Flatten()])]))
    model.save(tmp_path / "own.keras")
    twin = keras.saving.load_model(tmp_path / "own.keras")
    np.testing.assert_array_equal(twin.sample(2, seed=5), model.sample(2, seed=5))


def test_evaluate_reports_bits_per_dim():
    model = Flow((4, 4, 1), MultiScale([Chain([Flatten()])]))
    model.compile(keras.optimizers.Adam())
    x = np.arange(256, dtype=np.uint8).reshape(16, 4, 4, 1)
    assert model.evaluate(x, verbose=0) == pytest.approx(9.386, abs=0.02)


def test_negative_log_likelihood_can_be_the_compiled_loss():
    model = MODELS["glow"]()
    x = images(model, 8)
    model.initialise(x)
    model.compile(keras.optimizers.Adam(), loss=NegativeLogLikelihood())
    for targets in (np.zeros(8), None):
        assert model.evaluate(x, targets, verbose=0) == pytest.approx(-model.log_prob(x).mean(), rel=0.02)


def test_initialisation_gives_unit_latents_at_the_end_of_each_chain():
    model = Glow((8, 8, 1), levels=1, steps=2, filters=4)
    x = images(model, 200)
    assert not model.initialised
    model.initialise(x)
    assert model.initialised
    z = model.encode(x)
    assert z.mean() == pytest.approx(0, abs=0.05)
    assert z.std() == pytest.approx(1, abs=0.05)


def test_published_log_likelihoods_convert_to_bits_per_dim():
    assert bits_per_dim(1980.50, 784, width=1) == pytest.approx(4.356, abs=5e-4)
    assert bits_per_dim(5371.78, 3072, width=2) == pytest.approx(4.477, abs=5e-4)


def test_identity_flow_on_uniform_data_has_its_closed_form():
    model = Flow((16, 16, 1), MultiScale([Chain([Flatten()])]))
    x = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    expected = 8 + (0.5 * np.log(2 * np.pi) + 1 / 24) / np.log(2)
    assert expected == pytest.approx(9.386, abs=5e-4)
    assert model.bits_per_dim(np.repeat(x, 50, axis=0)).mean() == pytest.approx(expected, abs=1e-3)


def test_bits_per_dim_do_not_change_when_the_same_flow_sees_rescaled_pixels(scramble):
    """Pixels on [-1, 1) instead of [-1/2, 1/2): halving them is one more bijection, and the width doubles."""
    model = scramble(MODELS["glow"](), 0.1)
    x = images(model, 2)
    noise = 0.5
    y = (x.astype("float32") + noise) / 256 - 0.5
    z, log_det = model.bijector(2 * y / 2)
    log_density = -0.5 * np.sum(np.asarray(z) ** 2, -1) - 32 * np.log(2 * np.pi) + np.asarray(log_det)
    wide = bits_per_dim(log_density - 64 * np.log(2), 64, width=2)
    np.testing.assert_allclose(wide, bits_per_dim(log_density, 64, width=1), rtol=1e-6)


def test_mixed_precision_touches_the_networks_only():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = MODELS["glow"]()
    finally:
        keras.config.set_dtype_policy("float32")
    coupling = model.bijector.levels[0].bijectors[1].bijectors[2]
    assert coupling.network.first.compute_dtype == "bfloat16"
    z, log_det = model.bijector(ops.zeros((2, 8, 8, 1)))
    assert ops.dtype(z) == ops.dtype(log_det) == "float32"
    x = images(model, 3)
    np.testing.assert_array_equal(model.decode(model.encode(x)), x)


OTHER_BACKEND = """
import sys
import numpy as np
from test_models import MODELS, images
folder = sys.argv[1]
for name, make in MODELS.items():
    model = make()
    with np.load(f"{folder}/{name}.npz") as weights:
        model.set_weights([weights[f"arr_{index}"] for index in range(len(weights.files))])
    np.savez(f"{folder}/{name}-result.npz", log_prob=model.log_prob(images(model, 3)), sample=model.sample(4, seed=1))
"""


def test_weights_compute_the_same_on_the_other_backend(tmp_path, scramble):
    models = {name: scramble(make(), 0.1) for name, make in MODELS.items()}
    for name, model in models.items():
        np.savez(tmp_path / f"{name}.npz", *model.get_weights())
    other = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "KERAS_BACKEND": other, "PYTHONPATH": path}
    command = [sys.executable, "-c", OTHER_BACKEND, str(tmp_path)]
    subprocess.run(command, check=True, env=environment, capture_output=True, timeout=300)
    for name, model in models.items():
        with np.load(tmp_path / f"{name}-result.npz") as result:
            np.testing.assert_allclose(result["log_prob"], model.log_prob(images(model, 3)), rtol=1e-6, atol=1e-4)
            difference = result["sample"].astype(int) - model.sample(4, seed=1)
            assert np.abs(difference).max() <= 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Glow((28, 27, 1), levels=1), "28x27"),
        (lambda: Glow((28, 28, 1), levels=3), "7x7"),
        (lambda: Glow((8, 8, 1), levels=0), "at least 1 level"),
        (lambda: Glow((28, 28)), "height, width, channels"),
        (lambda: Glow((8, 8, 1), levels=2, steps=(1, 2, 3)), "3 values"),
        (lambda: Glow((8, 8, 1), levels=1, coupling="other"), "'affine' or 'additive'"),
        (lambda: RealNVP((9, 8, 1), levels=1), "9x8"),
        (lambda: NICE((8, 8, 1), units=0), "at least 1"),
    ],
)
def test_impossible_architectures_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.log_prob(np.zeros((1, 8, 8, 1))), TypeError, "uint8"),
        (lambda m: m.log_prob(np.zeros((8, 8, 1), "uint8")), ValueError, r"\(batch, 8, 8, 1\)"),
        (lambda m: m.encode(np.zeros((1, 8, 8, 3), "uint8")), ValueError, r"\(batch, 8, 8, 1\)"),
        (lambda m: m.decode(np.zeros((1, 63))), ValueError, r"\(batch, 64\)"),
        (lambda m: m.sample(0), ValueError, "at least one"),
        (lambda m: m.log_prob(np.zeros((0, 8, 8, 1), "uint8")), ValueError, "no images"),
        (lambda m: m.sample(1, temperature=-1), ValueError, "negative"),
        (lambda m: m.sample(1, temperature=float("inf")), ValueError, "finite"),
        (lambda m: m.interpolate(*np.zeros((2, 8, 8, 1), "uint8"), steps=1), ValueError, "2 steps"),
    ],
)
def test_wrong_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(MODELS["glow"]())


def test_batch_of_one(model):
    x = images(model, 1)
    assert model.log_prob(x).shape == (1,)
    np.testing.assert_array_equal(model.decode(model.encode(x)), x)


def test_importing_the_package_imports_nothing_heavy():
    program = "import sys, zoo_glow; print([m for m in ('keras', 'numpy', 'tensorflow', 'jax') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert result.stdout.strip() == "[]"
