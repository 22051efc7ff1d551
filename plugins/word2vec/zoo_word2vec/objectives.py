"""What skip-gram and CBOW minimise over a block of text, and its gradient, derived by hand.

A block has context rows X `(..., contexts, dimension)` of the input table, centre rows O `(..., centers, dimension)`
and drawn rows N `(..., negatives, dimension)` of the output table, and weights M `(..., contexts, centers)`: 1 where
the two make a pair, else 0. All functions take and give such tensors of the backend; `...` are blocks side by side.

With scores S and R, the two objectives of one input row x, its positive o and K drawn rows n, which stand for k, are

    negative sampling   l = softplus(-s) + (k/K) sum_n softplus(r_n)       s = x.o,  r_n = x.n
    sampled softmax     l = softplus(a - s),  a = log((k/K) sum_n exp(r_n))

The second is the cross-entropy of a softmax over the positive and k negatives, -log(e^s / (e^s + e^a)). Hence

    negative sampling   dl/ds = sigmoid(s) - 1     dl/dr_n = (k/K) sigmoid(r_n)
    sampled softmax     dl/ds = -sigmoid(a - s)    dl/dr_n = sigmoid(a - s) softmax(r)_n

Skip-gram scores every context with every centre, S = X O^T and R = X N^T: with the weights in dS and dR,

    dX = dS O + dR N,    dO = dS^T X,    dN = dR^T X

CBOW scores the mean of a centre's contexts: with A the weights' columns divided by their sums, H = A^T X takes the
place of X, s = h.o, and dX = A dH.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from zoo_word2vec.numeric import ops

Tensor = Any


class Rows(NamedTuple):
    """The rows of the tables that a block uses, or their gradients."""

    contexts: Tensor
    centers: Tensor
    noise: Tensor


class Gradients(NamedTuple):
    """The loss, summed over the pairs, and its derivatives by scores."""

    loss: Tensor
    positive: Tensor
    negative: Tensor


Objective = Callable[[Tensor, Tensor, Tensor, float], Gradients]


@dataclass(frozen=True, slots=True)
class Block:
    """One of the algorithms with one of the objectives; `negatives` is k, whatever the number of rows drawn."""

    algorithm: str
    objective: str
    negatives: float

    def loss(self, rows: Rows, weights: Tensor) -> Tensor:
        """The objective summed over a block's pairs, or, for CBOW, its centres: a scalar, for automatic gradients."""
        inputs, positive, weights = self._scores(rows, weights)
        negative = ops.matmul(inputs, _transposed(rows.noise))
        return _LOSSES[self.objective](positive, negative, weights, self._ratio(rows))

    def gradients(self, rows: Rows, weights: Tensor) -> tuple[Tensor, Rows]:
        """The same, and its gradient by the rows."""
        return (self._skip_gram if self.algorithm == "skip-gram" else self._cbow)(rows, weights)

    def terms(self, weights: Tensor) -> Tensor:
        """How many terms the loss is a sum of."""
        if self.algorithm == "cbow":
            weights = ops.max(weights, axis=-2)
        return ops.sum(weights)

    def _skip_gram(self, rows: Rows, weights: Tensor) -> tuple[Tensor, Rows]:
        found = self._by_scores(rows.contexts, ops.matmul(rows.contexts, _transposed(rows.centers)), rows, weights)
        return found.loss, Rows(
            ops.matmul(found.positive, rows.centers) + ops.matmul(found.negative, rows.noise),
            ops.matmul(_transposed(found.positive), rows.contexts),
            ops.matmul(_transposed(found.negative), rows.contexts),
        )

    def _cbow(self, rows: Rows, weights: Tensor) -> tuple[Tensor, Rows]:
        means = _means(weights)
        hidden, positive, weights = self._scores(rows, weights)
        found = self._by_scores(hidden, positive, rows, weights)
        by_hidden = found.positive * rows.centers + ops.matmul(found.negative, rows.noise)
        return found.loss, Rows(
            ops.matmul(means, by_hidden),
            found.positive * hidden,
            ops.matmul(_transposed(found.negative), hidden),
        )

    def _scores(self, rows: Rows, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the drawn rows are scored with, the positive scores, and the weights of these."""
        if self.algorithm == "skip-gram":
            return rows.contexts, ops.matmul(rows.contexts, _transposed(rows.centers)), weights
        hidden = ops.matmul(_transposed(_means(weights)), rows.contexts)
        positive = ops.sum(hidden * rows.centers, axis=-1, keepdims=True)
        return hidden, positive, ops.max(weights, axis=-2)[..., None]

    def _by_scores(self, inputs: Tensor, positive: Tensor, rows: Rows, weights: Tensor) -> Gradients:
        negative = ops.matmul(inputs, _transposed(rows.noise))
        return _GRADIENTS[self.objective](positive, negative, weights, self._ratio(rows))

    def _ratio(self, rows: Rows) -> float:
        return self.negatives / rows.noise.shape[-2]


def _negative_sampling_loss(positive: Tensor, negative: Tensor, weights: Tensor, ratio: float) -> Tensor:
    each = ops.sum(weights, axis=-1, keepdims=True)
    return ops.sum(weights * ops.softplus(-positive)) + ratio * ops.sum(each * ops.softplus(negative))


def _negative_sampling(positive: Tensor, negative: Tensor, weights: Tensor, ratio: float) -> Gradients:
    each = ops.sum(weights, axis=-1, keepdims=True)
    return Gradients(
        _negative_sampling_loss(positive, negative, weights, ratio),
        weights * ops.sigmoid(positive) - weights,
        ratio * each * ops.sigmoid(negative),
    )


def _sampled_softmax_loss(positive: Tensor, negative: Tensor, weights: Tensor, ratio: float) -> Tensor:
    against = math.log(ratio) + ops.logsumexp(negative, axis=-1, keepdims=True)
    return ops.sum(weights * ops.softplus(against - positive))


def _sampled_softmax(positive: Tensor, negative: Tensor, weights: Tensor, ratio: float) -> Gradients:
    against = math.log(ratio) + ops.logsumexp(negative, axis=-1, keepdims=True)
    missed = weights * ops.sigmoid(against - positive)
    return Gradients(
        ops.sum(weights * ops.softplus(against - positive)),
        -missed,
        ops.sum(missed, axis=-1, keepdims=True) * ops.softmax(negative, axis=-1),
    )


_LOSSES = {"negative-sampling": _negative_sampling_loss, "sampled-softmax": _sampled_softmax_loss}
_GRADIENTS = {"negative-sampling": _negative_sampling, "sampled-softmax": _sampled_softmax}


def _means(weights: Tensor) -> Tensor:
    """Columns that sum to 1; a centre without contexts has a column of zeros."""
    return weights / ops.maximum(ops.sum(weights, axis=-2, keepdims=True), 1)


def _transposed(matrices: Tensor) -> Tensor:
    return ops.swapaxes(matrices, -1, -2)
