"""Every bijector: inverse, log-determinants against the brute-force Jacobian, errors, serialisation.

Runs in float32, and in float64 where ZOO_TEST_FLOATX says so.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_glow import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    Chain,
    ChannelSplit,
    CheckerboardSplit,
    ConvNetwork,
    DenseNetwork,
    Dequantize,
    DiagonalScale,
    FactorOut,
    Flatten,
    Gaussianize,
    InvertibleConv1x1,
    Logit,
    MultiScale,
    Permute,
    Squeeze,
)

pytestmark = [pytest.mark.backend, pytest.mark.float64]

IMAGE = (4, 4, 2)
VECTOR = (5,)

LAYERS = {
    "squeeze": (lambda: Squeeze(), IMAGE),
    "squeeze-4": (lambda: Squeeze(4), IMAGE),
    "reverse": (lambda: Permute("reverse"), IMAGE),
    "random": (lambda: Permute("random", seed=2), (4, 4, 6)),
    "conv1x1": (lambda: InvertibleConv1x1(seed=1), (2, 3, 5)),
    "actnorm": (lambda: ActNorm(), IMAGE),
    "actnorm-vector": (lambda: ActNorm(), VECTOR),
    "actnorm-positions": (lambda: ActNorm(per_position=True), IMAGE),
    "scale": (lambda: DiagonalScale(), IMAGE),
    "additive": (lambda: AdditiveCoupling(ConvNetwork(4)), IMAGE),
    "additive-vector": (lambda: AdditiveCoupling(DenseNetwork(6), ChannelSplit(interleave=True)), VECTOR),
    "additive-checkerboard": (lambda: AdditiveCoupling(ConvNetwork(4, 1), CheckerboardSplit()), (3, 4, 2)),
    "affine": (lambda: AffineCoupling(ConvNetwork(4, positions=True)), IMAGE),
    "affine-swap": (lambda: AffineCoupling(ConvNetwork(4, 2), ChannelSplit(swap=True)), (2, 2, 3)),
    "affine-vector": (lambda: AffineCoupling(split=ChannelSplit(swap=True, interleave=True)), VECTOR),
    "affine-checkerboard": (lambda: AffineCoupling(ConvNetwork(4), CheckerboardSplit(swap=True)), (4, 3, 1)),
    "factor-out": (lambda: FactorOut(), (2, 2, 5)),
    "logit": (lambda: Logit(), IMAGE),
    "gaussianize": (lambda: Gaussianize(), IMAGE),
    "gaussianize-8": (lambda: Gaussianize(8), (2, 3, 3)),
    "flatten": (lambda: Flatten(), IMAGE),
    "chain": (lambda: Chain([ActNorm(), InvertibleConv1x1(), AffineCoupling(ConvNetwork(4))]), IMAGE),
    "levels": (lambda: MultiScale([Chain([Squeeze(), FactorOut()]), Chain([Squeeze(), ActNorm()])]), (4, 4, 1)),
}


@pytest.fixture(params=LAYERS, ids=list(LAYERS))
def case(request, rng, scramble):
    """A built layer with scrambled weights, and inputs for it."""
    make, shape = LAYERS[request.param]
    layer = make()
    layer.build((None, *shape))
    x = (
        rng.uniform(-0.45, 0.45, (3, *shape))
        if isinstance(layer, Logit | Gaussianize)
        else rng.standard_normal((3, *shape))
    )
    return scramble(layer), x.astype(keras.config.floatx())


def flat(y) -> np.ndarray:
    """One or two outputs as one `(batch, dimensions)`."""
    parts = y if isinstance(y, tuple) else (y,)
    return ops.concatenate([ops.reshape(part, (part.shape[0], -1)) for part in parts], axis=-1)


def test_inverse_undoes_forward(case):
    layer, x = case
    restored, _ = layer.inverse(layer(x)[0])
    tolerance = {"float32": 1e-4, "float64": 1e-9}[keras.config.floatx()]
    assert ops.dtype(restored) == keras.config.floatx()
    assert np.abs(np.asarray(restored) - x).max() < tolerance


def test_log_det_is_that_of_the_brute_force_jacobian(case, jacobian):
    layer, x = case
    _, log_det = layer(x)
    sign, expected = np.linalg.slogdet(jacobian(lambda v: flat(layer(v)[0]), x[0]))
    assert sign != 0
    assert float(log_det[0]) == pytest.approx(expected, abs=1e-5 if keras.config.floatx() == "float32" else 1e-9)


def test_log_dets_of_forward_and_inverse_cancel(case):
    layer, x = case
    y, forward = layer(x)
    _, backward = layer.inverse(y)
    assert forward.shape == backward.shape == (3,)
    assert ops.dtype(forward) == ops.dtype(backward) == keras.config.floatx()
    np.testing.assert_allclose(np.asarray(forward), -np.asarray(backward), atol=2e-5)


def test_output_has_the_declared_shape(case):
    layer, x = case
    y, _ = layer(x[:1])
    shapes = layer.compute_output_shape((1, *x.shape[1:]))
    assert (tuple(part.shape for part in y) if isinstance(y, tuple) else tuple(y.shape)) == shapes


def test_layer_rebuilt_from_its_config_computes_the_same(case):
    layer, x = case
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    if not twin.built:
        twin.build((None, *x.shape[1:]))
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(np.asarray(flat(twin(x)[0])), np.asarray(flat(layer(x)[0])))


def test_layer_works_symbolically(case):
    layer, x = case
    y, log_det = layer(keras.Input(x.shape[1:], dtype=keras.config.floatx()))
    shapes = layer.compute_output_shape((None, *x.shape[1:]))
    assert (tuple(part.shape for part in y) if isinstance(y, tuple) else tuple(y.shape)) == shapes
    assert log_det.shape == (None,)


def test_squeeze_moves_each_block_into_the_channels_of_one_pixel():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    y, _ = Squeeze()(x)
    assert sorted(np.asarray(y)[0, 0, 0].tolist()) == [0, 1, 4, 5]
    assert sorted(np.asarray(y)[0, 1, 1].tolist()) == [10, 11, 14, 15]


def test_reverse_permutation_reverses_channels():
    y, _ = Permute()(np.arange(3.0).reshape(1, 1, 1, 3))
    assert np.asarray(y).ravel().tolist() == [2, 1, 0]


def test_random_permutation_depends_on_its_seed_alone():
    x = np.arange(20.0).reshape(1, 20)
    first, again, other = (np.asarray(Permute("random", seed)(x)[0]) for seed in (5, 5, 6))
    assert (first == again).all()
    assert (first != other).any()


def test_convolution_starts_as_a_rotation(rng):
    layer = InvertibleConv1x1(seed=3)
    x = rng.standard_normal((2, 1, 1, 8)).astype(keras.config.floatx())
    y, log_det = layer(x)
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(log_det), 0, atol=1e-5)


def test_actnorm_initialisation_normalises_its_batch(rng):
    layer = ActNorm()
    x = (3 + 5 * rng.standard_normal((50, 4, 4, 3))).astype(keras.config.floatx())
    y = np.asarray(layer.initialise(x))
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), 1, atol=1e-4)
    assert float(layer.initialised) == 1


def test_actnorm_centres_constant_channels_without_dividing_by_zero():
    layer = ActNorm()
    x = np.full((6, 2, 2, 2), 0.25, keras.config.floatx())
    y = layer.initialise(x)
    np.testing.assert_allclose(np.asarray(y), 0, atol=1e-6)
    restored, log_det = layer.inverse(y)
    np.testing.assert_allclose(np.asarray(restored), x, atol=1e-6)
    np.testing.assert_allclose(np.asarray(log_det), 0, atol=1e-6)


def test_calling_actnorm_does_not_initialise_it(rng):
    layer = ActNorm()
    x = rng.standard_normal((4, 3)).astype(keras.config.floatx())
    np.testing.assert_allclose(np.asarray(layer(x, training=True)[0]), x)
    assert float(layer.initialised) == 0


def test_gaussianised_levels_are_normal_and_come_back(rng):
    levels = np.minimum(rng.geometric(0.2, (400, 8, 8, 2)) - 1, 15)
    x = ((levels + rng.uniform(0, 1, levels.shape)) / 16 - 0.5).astype(keras.config.floatx())
    layer = Gaussianize(16)
    y = np.asarray(layer.initialise(x))
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=0.05)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), 1, atol=0.05)
    assert np.abs(np.asarray(layer.inverse(y)[0]) - x).max() < 1e-4


def test_gaussianised_density_is_that_of_the_histogram(rng):
    levels = np.minimum(rng.geometric(0.3, (500, 1, 1, 1)) - 1, 7)
    x = ((levels + 0.5) / 8 - 0.5).astype(keras.config.floatx())
    layer = Gaussianize(8)
    z = np.asarray(layer.initialise(x)).reshape(-1)
    log_density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) + np.asarray(layer(x)[1])
    share = np.bincount(levels.reshape(-1), minlength=8) / 500
    expected = np.log(8 * (0.95 * share + 0.05 / 8))[levels.reshape(-1)]
    np.testing.assert_allclose(log_density, expected, atol=1e-3)


def test_every_grey_level_survives_gaussianisation_of_a_lopsided_histogram():
    levels = np.concatenate([np.zeros(4000, "uint8"), np.arange(256, dtype="uint8")]).reshape(-1, 1, 1, 1)
    dequantize, layer = Dequantize(), Gaussianize()
    for noise in (2**-16, 0.5, 1 - 2**-16):
        x, _ = dequantize(levels, noise=noise)
        restored = layer.inverse(layer.initialise(x))[0]
        np.testing.assert_allclose(np.asarray(restored), np.asarray(x), atol=1e-4)
        if noise == 0.5:
            np.testing.assert_array_equal(np.asarray(dequantize.inverse(restored)[0]), levels)


@pytest.mark.parametrize("make", [lambda: AdditiveCoupling(ConvNetwork(4)), lambda: AffineCoupling(ConvNetwork(4))])
def test_coupling_starts_as_the_identity(make, rng):
    x = rng.standard_normal((2, *IMAGE)).astype(keras.config.floatx())
    y, log_det = make()(x)
    np.testing.assert_allclose(np.asarray(y), x, atol=1e-6)
    np.testing.assert_allclose(np.asarray(log_det), 0)


def test_affine_coupling_never_scales_beyond_its_bound(rng, scramble):
    layer = AffineCoupling(DenseNetwork(8), bound=0.5)
    layer.build((None, 6))
    x = 100 * rng.standard_normal((20, 6)).astype(keras.config.floatx())
    _, log_det = scramble(layer, 10.0)(x)
    assert np.abs(np.asarray(log_det)).max() <= 3 * 0.5 + 1e-5


def test_coupling_leaves_the_kept_part_alone(rng, scramble):
    layer = AffineCoupling(ConvNetwork(4), CheckerboardSplit())
    layer.build((None, 4, 4, 1))
    x = rng.standard_normal((1, 4, 4, 1)).astype(keras.config.floatx())
    moved = np.asarray(scramble(layer)(x)[0])[0, :, :, 0] != x[0, :, :, 0]
    np.testing.assert_array_equal(moved, np.indices((4, 4)).sum(axis=0) % 2 == 1)


def test_dequantised_images_come_back_exactly_under_any_noise():
    layer = Dequantize()
    x = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    for noise in (2**-16, 0.5, 1 - 2**-16):
        y, log_det = layer(x, noise=noise)
        restored, back = layer.inverse(y)
        assert np.asarray(restored).dtype == np.uint8
        np.testing.assert_array_equal(np.asarray(restored), x)
        assert float(log_det[0]) == pytest.approx(-256 * np.log(256), rel=1e-6)
        assert float(back[0]) == pytest.approx(256 * np.log(256), rel=1e-6)


def test_dequantisation_noise_is_uniform_on_the_bin():
    layer = Dequantize()
    drawn = layer.draw((10_000,), np.random.Generator(np.random.Philox(0)))
    random = np.asarray(layer.random((10_000,), keras.random.SeedGenerator(0)))
    for noise in (drawn, random):
        assert noise.min() > 0
        assert noise.max() < 1
        assert noise.mean() == pytest.approx(0.5, abs=0.02)
        assert noise.var() == pytest.approx(1 / 12, abs=0.005)


def test_density_of_a_flow_in_the_plane_integrates_to_one(scramble):
    layer = Chain(
        [
            AffineCoupling(DenseNetwork(8), bound=0.5),
            ActNorm(),
            AffineCoupling(DenseNetwork(8), ChannelSplit(swap=True), bound=0.5),
            DiagonalScale(),
        ]
    )
    layer.build((None, 2))
    scramble(layer, 0.4)
    axis = np.linspace(-12, 12, 500, dtype=keras.config.floatx())
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    z, log_det = layer(grid)
    log_density = -0.5 * np.sum(np.asarray(z) ** 2, axis=-1) - np.log(2 * np.pi) + np.asarray(log_det)
    assert np.exp(log_density).sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=1e-3)


def test_linear_flow_has_the_closed_form_of_a_gaussian(rng, scramble):
    layer = Chain([ActNorm(), InvertibleConv1x1(), DiagonalScale()])
    layer.build((None, 1, 1, 3))
    scramble(layer)
    x = rng.standard_normal((5, 1, 1, 3)).astype(keras.config.floatx())
    z, log_det = layer(x)
    log_density = -0.5 * np.sum(np.asarray(z) ** 2, axis=(1, 2, 3)) - 1.5 * np.log(2 * np.pi) + np.asarray(log_det)

    origin = np.asarray(layer(np.zeros((1, 1, 1, 3), x.dtype))[0], "float64").ravel()
    matrix = np.stack(
        [np.asarray(layer(row.reshape(1, 1, 1, 3).astype(x.dtype))[0], "float64").ravel() - origin for row in np.eye(3)]
    ).T
    mean, covariance = -np.linalg.solve(matrix, origin), np.linalg.inv(matrix.T @ matrix)
    centred = x.reshape(5, 3) - mean
    quadratic = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred)
    expected = -0.5 * (quadratic + np.log(np.linalg.det(2 * np.pi * covariance)))
    np.testing.assert_allclose(log_density, expected, atol=1e-4)


def test_factored_out_latents_are_standardised_by_the_kept_half(rng, scramble):
    layer = FactorOut()
    layer.build((None, 2, 2, 4))
    scramble(layer)
    x = rng.standard_normal((1, 2, 2, 4)).astype(keras.config.floatx())
    (kept, z), log_det = layer(x)
    np.testing.assert_array_equal(np.asarray(kept), x[..., :2])
    parameters = np.asarray(layer.prior(x[..., :2]))
    mean, log_deviation = parameters[..., :2], 6 * np.tanh(parameters[..., 2:] / 6)
    np.testing.assert_allclose(np.asarray(z), (x[..., 2:] - mean) / np.exp(log_deviation), rtol=1e-4, atol=1e-5)
    assert float(log_det[0]) == pytest.approx(-log_deviation.sum(), abs=1e-4)


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: Squeeze(), (None, 5, 4, 1), "5x4"),
        (lambda: Squeeze(), (None, 4), "rank 4"),
        (lambda: Squeeze(0), (None, 4, 4, 1), "at least 1"),
        (lambda: Squeeze(), (None, None, 4, 1), "known"),
        (lambda: ActNorm(), (None, None, None, 3), "known"),
        (lambda: DiagonalScale(), (None, None), "known"),
        (lambda: Gaussianize(), (None, 4, 4, None), "known"),
        (lambda: Permute("upwards"), (None, 4), "'reverse' or 'random'"),
        (lambda: InvertibleConv1x1(), (None, 8), "rank 4"),
        (lambda: FactorOut(), (None, 2, 2, 1), "at least 2 channels"),
        (lambda: FactorOut(bound=0), (None, 2, 2, 2), "positive"),
        (lambda: AffineCoupling(bound=-1.0), (None, 4), "positive"),
        (lambda: AdditiveCoupling(DenseNetwork(4, outputs=7)), (None, 4), "2 outputs, got 7"),
        (lambda: AdditiveCoupling(ConvNetwork(4)), (None, 4), "rank 4"),
        (lambda: AdditiveCoupling(), (None, 1), "at least 2 entries"),
        (lambda: AdditiveCoupling(split=CheckerboardSplit()), (None, 4), "rank 4"),
        (lambda: ConvNetwork(0), (None, 4, 4, 1), "filters"),
        (lambda: DenseNetwork(0), (None, 4), "at least 1"),
        (lambda: Logit(0.5), (None, 4), "alpha"),
        (lambda: Dequantize(1), (None, 4), "levels"),
        (lambda: Flatten(), (None, 4), "rank 4"),
        (lambda: Chain([]), (None, 4), "at least one"),
        (lambda: MultiScale([]), (None, 4, 4, 1), "at least one"),
    ],
)
def test_wrong_arguments_and_shapes_are_named(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make().build(shape)


@pytest.mark.parametrize("make", [make for make, _ in LAYERS.values()], ids=list(LAYERS))
def test_no_method_is_called_what_a_torch_module_calls_its_state(make):
    # There a layer is a torch.nn.Module, whose own attributes hide the methods of its class.
    state = {"_parameters", "_buffers", "_modules", "_forward_hooks", "_backward_hooks", "training"}
    ours = [base for base in type(make()).__mro__ if base.__module__.startswith("zoo_glow")]
    assert not state & {name for base in ours for name in vars(base)}
