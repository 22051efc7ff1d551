"""Linear chains of tags: the sum, the best and the expectations over all tag sequences, by dynamic programming.

A sequence's score is that of its first tag at the start, of each tag at its position, of each pair of neighbours, and
of its last tag at the end. Positions that are masked are left out, wherever they stand: their neighbours become
neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, NamedTuple

import keras
from keras import ops

from zoo_addons.layers.arguments import greatest

Tensor = Any


class Chain(NamedTuple):
    """What the tags of a batch of sequences are scored by: a tuple, so that JAX takes it for tensors.

    Args:
        scores: of each tag at each position, `(batch, time, tags)`.
        mask: which positions are there, boolean, `(batch, time)`.
        transitions: of a tag (row) followed by another (column), `(tags, tags)`.
        start: of the first tag, `(tags,)`.
        end: of the last tag, `(tags,)`.
    """

    scores: Tensor
    mask: Tensor
    transitions: Tensor
    start: Tensor
    end: Tensor

    def constant(self) -> Chain:
        """The same, through which no gradient flows."""
        held = (ops.stop_gradient(part) for part in (self.scores, self.transitions, self.start, self.end))
        scores, transitions, start, end = held
        return Chain(scores, self.mask, transitions, start, end)

    def first(self) -> Tensor:
        """Which position is the first that is there, boolean, `(batch, time)`."""
        return _first(self.mask)

    def last(self) -> Tensor:
        """Which position is the last that is there, boolean, `(batch, time)`."""
        return ops.flip(_first(ops.flip(self.mask, axis=1)), axis=1)


def compiled_by_jax(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The same, compiled once for each shape where JAX computes: there every eager `scan` would be compiled anew."""

    @cache
    def compiled() -> Callable[..., Tensor]:
        import jax

        return jax.jit(function)

    @wraps(function)
    def call(*arguments: Any) -> Tensor:
        return (compiled() if keras.backend.backend() == "jax" else function)(*arguments)

    return call


@compiled_by_jax
def log_partition(chain: Chain) -> Tensor:
    """`log sum exp(score)` over all tag sequences, `(batch,)`; 0 for an empty one.

    Its gradient by every parameter is that parameter's expected count. The counts come from the forward and backward
    recursions and are put in as constants, so that nothing is differentiated through the recursions: XLA cannot
    differentiate Keras' `scan` on TensorFlow, and no state of the recursion has to be kept.
    """
    fixed = chain.constant()
    forward, backward, value = _recursions(fixed)
    tags = _marginals(fixed, forward, backward, value)
    pairs = _expected_pairs(fixed, forward, backward, value)
    expected = _counted(tags, chain.scores) + _counted(pairs, chain.transitions)
    for at, boundary in ((chain.first(), chain.start), (chain.last(), chain.end)):
        expected = expected + _counted(ops.where(at[:, :, None], tags, 0), boundary)
    return value + (expected - ops.stop_gradient(expected))


@compiled_by_jax
def path_score(chain: Chain, tags: Tensor) -> Tensor:
    """The score of one tag sequence per sample, tags `(batch, time)` int32 and in range, `(batch,)`."""
    count = chain.scores.shape[-1]
    here = ops.take_along_axis(chain.scores, tags[:, :, None], axis=-1)[:, :, 0]
    pairs = ops.take(ops.reshape(chain.transitions, (-1,)), _previous(chain.mask, tags) * count + tags)
    first = chain.first()
    score = here + ops.where(first, ops.take(chain.start, tags), pairs)
    score = score + ops.where(chain.last(), ops.take(chain.end, tags), 0)
    return ops.sum(ops.where(chain.mask, score, 0), axis=1)


@compiled_by_jax
def best_path(chain: Chain) -> Tensor:
    """The tags of the sequence with the greatest score (Viterbi), int32 `(batch, time)`; 0 where masked."""
    chain = chain.constant()
    forward = _forward(chain, greatest)
    into = ops.transpose(chain.transitions)

    def step(later: Tensor, here: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        scores, real, last = here
        onward = ops.where(last[:, None], chain.end, ops.take(into, later, axis=0))
        tag = ops.where(real, ops.cast(ops.argmax(scores + onward, axis=-1), "int32"), later)
        return tag, tag

    none = ops.zeros_like(chain.mask[:, 0], dtype="int32")
    _, tags = ops.scan(step, none, (forward, ops.transpose(chain.mask), ops.transpose(chain.last())), reverse=True)
    return ops.where(chain.mask, ops.transpose(tags), 0)


@compiled_by_jax
def marginals(chain: Chain) -> Tensor:
    """The probability of each tag at each position, `(batch, time, tags)`; 0 where masked. No gradient flows."""
    chain = chain.constant()
    return _marginals(chain, *_recursions(chain))


def _forward(chain: Chain, reduce: Any) -> Tensor:
    """The log-sum (or best) score of everything up to each position, by its last tag, `(time, batch, tags)`."""

    def step(before: Tensor, here: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        scores, real, first = here
        moved = reduce(before[:, :, None] + chain.transitions, axis=1) + scores
        after = ops.where(first[:, None], chain.start + scores, ops.where(real[:, None], moved, before))
        return after, after

    positions = (_time_first(chain.scores), ops.transpose(chain.mask), ops.transpose(chain.first()))
    return ops.scan(step, ops.zeros_like(chain.scores[:, 0]), positions)[1]


def _backward(chain: Chain) -> Tensor:
    """The log-sum score of everything after each position, by the tag there, `(time, batch, tags)`."""

    def step(after: Tensor, here: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        scores, real = here
        moved = ops.logsumexp((scores + after)[:, None, :] + chain.transitions, axis=2)
        return ops.where(real[:, None], moved, after), after

    end = ops.zeros_like(chain.scores[:, 0]) + chain.end
    return ops.scan(step, end, (_time_first(chain.scores), ops.transpose(chain.mask)), reverse=True)[1]


def _recursions(chain: Chain) -> tuple[Tensor, Tensor, Tensor]:
    """The forward and backward recursions, `(batch, time, tags)` each, and the log-partition, `(batch,)`."""
    forward, backward = _forward(chain, ops.logsumexp), _backward(chain)
    value = ops.logsumexp(forward[-1] + chain.end, axis=-1)
    return _batch_first(forward), _batch_first(backward), ops.where(ops.any(chain.mask, axis=1), value, 0)


def _marginals(chain: Chain, forward: Tensor, backward: Tensor, value: Tensor) -> Tensor:
    # Masked positions would overflow: what stands there belongs to their neighbours.
    log = ops.where(chain.mask[:, :, None], forward + backward - value[:, None, None], 0)
    return ops.where(chain.mask[:, :, None], ops.exp(log), 0)


def _expected_pairs(chain: Chain, forward: Tensor, backward: Tensor, value: Tensor) -> Tensor:
    """How often each tag is expected to be followed by each other, `(batch, tags, tags)`."""
    follows = ops.logical_and(chain.mask, ops.logical_not(chain.first()))[:, 1:, None, None]
    after = (chain.scores + backward - value[:, None, None])[:, 1:, None, :]
    log = ops.where(follows, forward[:, :-1, :, None] + chain.transitions + after, 0)
    return ops.sum(ops.where(follows, ops.exp(log), 0), axis=1)


def _counted(counts: Tensor, parameters: Tensor) -> Tensor:
    """The sum of parameters, each as often as it is expected; what is forbidden by -inf is never."""
    return ops.sum(counts * ops.where(counts > 0, parameters, 0), axis=(1, 2))


def _previous(mask: Tensor, tags: Tensor) -> Tensor:
    """The tag at the position before that is there, `(batch, time)`; 0 before the first."""

    def step(before: Tensor, here: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        tag, real = here
        return ops.where(real, tag, before), before

    return ops.transpose(ops.scan(step, ops.zeros_like(tags[:, 0]), (ops.transpose(tags), ops.transpose(mask)))[1])


def _first(mask: Tensor) -> Tensor:
    return ops.logical_and(mask, ops.equal(ops.cumsum(ops.cast(mask, "int32"), axis=1), 1))


def _time_first(x: Tensor) -> Tensor:
    return ops.transpose(x, (1, 0, 2))


def _batch_first(x: Tensor) -> Tensor:
    return ops.transpose(x, (1, 0, 2))
