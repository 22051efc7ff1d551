"""The linear-chain conditional random field."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_addons.layers import linear_chain
from zoo_addons.layers.arguments import Shape, at_least_float32, known_width, require_rank
from zoo_addons.layers.labels import require_labels
from zoo_addons.layers.linear_chain import Chain, Tensor


@keras.saving.register_keras_serializable(package="addons")
class CRF(keras.layers.Layer):
    """Linear-chain conditional random field: tags a sequence as a whole, given each position's scores of the tags.

    `p(y | x) = exp(score(x, y)) / Z(x)`, with
    `score(x, y) = start[y_1] + sum_t scores[t, y_t] + sum_t transitions[y_t, y_(t+1)] + end[y_n]`: the scores come from
    the layer before, a Dense with one unit per tag and no activation, the other three are learned here. They start at
    zero, where the CRF is an independent softmax at every position.

    `layer(scores)` gives the best sequence of tags (Viterbi), one-hot, so that metrics and `argmax` take it as they
    would a softmax. `layer(scores, tags)` adds the negative log-likelihood, the mean over the batch, to the model's
    losses besides; in a model whose inputs include the tags that is all that training needs. Where they are the
    targets, as in `fit(x, tags)`, put the model into a `CRFTagger`.

    Masked positions are left out, wherever they stand, and come out as zeros; the mask goes on. A sequence without
    any position has log-likelihood 0. Everything is computed in float32 at least. Gradients of the log-likelihood are
    exact, but not differentiable once more.

    Args:
        use_boundary: learn the scores of the first and the last tag, too.
        transition_initializer: of the transitions.
        transition_regularizer: of the transitions.

    Call arguments:
        scores: `(batch, time, tags)`.
        tags: whole numbers, `(batch, time)`; anything where masked. In compiled code, where they cannot be looked at,
            tags out of range count as the nearest.
        mask: boolean, `(batch, time)`; taken from `scores` where Keras has one. `scores_mask` is the same, by the name
            that Keras wants where there are tags.

    Returns:
        `(batch, time, tags)`.

    Raises:
        ValueError: for another rank, sequences of length 0, and tags that are out of range, where that can be seen.

    References:
        Lafferty, McCallum, Pereira, 2001. Conditional random fields. ICML
        Lample et al., 2016. Neural architectures for named entity recognition. arXiv:1603.01360
        Su, 2018. kexue.fm/archives/5542
    """

    def __init__(
        self,
        use_boundary: bool = True,
        transition_initializer: Any = "zeros",
        transition_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.use_boundary = use_boundary
        self.transition_initializer = keras.initializers.get(transition_initializer)
        self.transition_regularizer = keras.regularizers.get(transition_regularizer)
        self.supports_masking = True

    def build(self, scores_shape: Shape) -> None:
        """Create the scores of transitions and boundaries."""
        require_rank(self, scores_shape, 3, "(batch, time, tags)")
        if scores_shape[1] == 0:
            raise ValueError(f"CRF needs sequences of at least one position, got shape {tuple(scores_shape)}")
        self.count = known_width(self, scores_shape)
        self.transitions = self.add_weight(
            name="transitions",
            shape=(self.count, self.count),
            initializer=self.transition_initializer,
            regularizer=self.transition_regularizer,
        )
        if self.use_boundary:
            self.start = self.add_weight(name="start", shape=(self.count,), initializer="zeros")
            self.end = self.add_weight(name="end", shape=(self.count,), initializer="zeros")

    def call(self, scores: Tensor, tags: Tensor = None, mask: Tensor = None, scores_mask: Tensor = None) -> Tensor:
        """The best sequence, one-hot; with tags, their loss is added."""
        mask = scores_mask if mask is None else mask
        if tags is not None:
            self.add_loss(mean_loss(self.log_likelihood(scores, tags, mask)))
        chain = self._chain(scores, mask)
        best = ops.one_hot(linear_chain.best_path(chain), self.count, dtype=self.compute_dtype)
        return ops.where(chain.mask[:, :, None], best, 0)

    def compute_output_shape(self, scores_shape: Shape) -> Shape:
        """That of the scores."""
        return tuple(scores_shape)

    def log_likelihood(self, scores: Tensor, tags: Tensor, mask: Tensor = None) -> Tensor:
        """`log p(tags | scores)`, `(batch,)`."""
        chain = self._chain(scores, mask)
        tags = ops.convert_to_tensor(tags)
        if tuple(tags.shape[1:]) != tuple(chain.mask.shape[1:]) and None not in (*tags.shape[1:], chain.mask.shape[1]):
            raise ValueError(f"CRF takes tags (batch, time) for scores {tuple(scores.shape)}, got {tuple(tags.shape)}")
        require_labels("CRF", tags, self.count, chain.mask)
        tags = ops.clip(ops.where(chain.mask, ops.cast(tags, "int32"), 0), 0, self.count - 1)
        return linear_chain.path_score(chain, tags) - linear_chain.log_partition(chain)

    def decode(self, scores: Tensor, mask: Tensor = None) -> Tensor:
        """The tags of the best sequence (Viterbi), int32 `(batch, time)`; 0 where masked."""
        return linear_chain.best_path(self._chain(scores, mask))

    def marginals(self, scores: Tensor, mask: Tensor = None) -> Tensor:
        """The probability of each tag at each position, `(batch, time, tags)`; 0 where masked. No gradient flows."""
        return linear_chain.marginals(self._chain(scores, mask))

    def _chain(self, scores: Tensor, mask: Tensor) -> Chain:
        dtype = at_least_float32(self.variable_dtype)
        scores = ops.cast(scores, dtype)
        if not self.built:
            self.build(scores.shape)
        mask = ops.ones_like(scores[:, :, 0], dtype="bool") if mask is None else ops.cast(mask, "bool")
        transitions = ops.cast(self.transitions, dtype)
        if not self.use_boundary:
            nothing = ops.zeros_like(transitions[0])
            return Chain(scores, mask, transitions, nothing, nothing)
        return Chain(scores, mask, transitions, ops.cast(self.start, dtype), ops.cast(self.end, dtype))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "use_boundary": self.use_boundary,
            "transition_initializer": keras.initializers.serialize(self.transition_initializer),
            "transition_regularizer": keras.regularizers.serialize(self.transition_regularizer),
        }


def mean_loss(log_likelihood: Tensor, weights: Tensor = None) -> Tensor:
    """The mean of `-log_likelihood`, `(batch,)`, each weighted; 0 for an empty batch."""
    if weights is not None:
        log_likelihood = log_likelihood * ops.cast(weights, log_likelihood.dtype)
    count = ops.cast(ops.maximum(ops.shape(log_likelihood)[0], 1), log_likelihood.dtype)
    return -ops.sum(log_likelihood) / count
