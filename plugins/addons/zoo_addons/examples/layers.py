"""Small examples of the layers that need more than numbers to be made, for `zoo check`."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo_core.conformance import Example

TAGS = 3
TOKENS = 10


def crf() -> Example:
    """Scores of three tags, with transitions that matter."""
    return Example({"transition_initializer": "glorot_uniform"}, inputs=_normal(2, 5, TAGS))


def crf_tagger() -> Example:
    """Over one embedding, whose padding is masked."""
    import keras

    from zoo_addons.layers.crf import CRF

    scorer = keras.Sequential(
        [keras.Input((None,), dtype="int32"), keras.layers.Embedding(TOKENS, TAGS, mask_zero=True)]
    )
    return Example({"model": scorer, "crf": CRF(transition_initializer="glorot_uniform")}, inputs=_tokens())


def tied_embedding_softmax() -> Example:
    """Read, since it is called so by default."""
    return Example({"input_dim": TOKENS, "output_dim": 4, "mask_zero": True}, inputs=_tokens())


def reparameterized_gaussian() -> Example:
    """A mean and a log-variance."""
    return Example({"kl_weight": 0.5, "free_bits": 0.1}, inputs=[_normal(2, 4), _normal(2, 4)])


def weight_normalization() -> Example:
    """Around a convolution."""
    import keras

    return Example({"layer": keras.layers.Conv1D(3, 2)}, inputs=_normal(2, 5, 4))


def learning_rate_multiplier() -> Example:
    """Around a dense layer with a regulariser."""
    import keras

    return Example({"layer": keras.layers.Dense(3, kernel_regularizer="l2"), "multiplier": 0.5}, inputs=_normal(2, 4))


def _normal(*shape: int) -> Any:
    return np.random.Generator(np.random.Philox(0)).standard_normal(shape).astype("float32")


def _tokens() -> Any:
    return np.array([[3, 1, 4, 1, 5], [9, 2, 0, 0, 0]], "int32")
