"""What a loss was divided by: the number by which the losses of several batches make one mean."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import keras
from keras import ops
from keras.src.backend import get_keras_mask
from keras.src.losses.loss import apply_mask, squeeze_or_expand_to_same_rank

if TYPE_CHECKING:
    from zoo_addons.steps.accumulation import GradientAccumulation
    from zoo_addons.steps.batch import Batch

Tensor = Any
"""A tensor of whatever the backend is."""

EXAMPLES, SUM = "examples", "sum"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a batch's loss: `value * denominator` adds up over batches, and so does `denominator`.

    Parts of the same `kind` have denominators that are always proportional to one another. Those of kind SUM were
    divided by nothing, and are to be divided by nothing.
    """

    kind: Hashable
    value: Tensor
    denominator: Tensor


@dataclass(frozen=True, slots=True)
class Elements:
    """The kind of a mean over `size` elements of each example, by the number of the loss.

    Such means are proportional to those over examples for as long as the size stays.
    """

    loss: int
    size: int = field(compare=False)


def loss_in_parts(step: GradientAccumulation, batch: Batch, y_pred: Any) -> tuple[Tensor, list[Part]]:
    """A batch's loss in training, and the parts that it is the sum of: at least one, no two of a kind.

    Each loss given to `compile` is a part. What else there is (regularisation, `add_loss`, what a model's own
    `compute_loss` adds) counts as a mean over examples; regularisation is the same in each batch, so that it may go
    with any mean.
    """
    parts: list[Part] = []
    with _watched(step, batch, y_pred, parts):
        total = step.compute_loss(batch.x, batch.y, y_pred, batch.sample_weight, training=True)
    examples = _count(batch.size)
    if not parts:
        return total, [Part(EXAMPLES, total, examples)]
    rest = _rest(step)
    parts = _settled(step, parts, rest)
    if rest is not None and any(part.kind != EXAMPLES for part in parts):
        # Regularisation may go with the mean of anything, a sum excepted.
        home = next((part for part in parts if part.kind != SUM), None) if rest == "regularisation" else None
        value = total - sum(part.value for part in parts)
        parts.append(Part(EXAMPLES, value, examples) if home is None else Part(home.kind, value, home.denominator))
    merged = _merged(parts)
    return total, merged if len(merged) > 1 else [Part(merged[0].kind, total, merged[0].denominator)]


def _settled(step: GradientAccumulation, parts: list[Part], rest: str | None) -> list[Part]:
    """The parts with means over elements as kinds of their own, if there are sums for all; else as over examples."""
    kinds = {part.kind for part in parts} | ({EXAMPLES} if rest == "more" else set())
    if len(kinds) <= step.denominators:
        return parts
    sizes = [part.kind.size if isinstance(part.kind, Elements) else 1 for part in parts if _is_steady(part)]
    step.require_ratio(sizes + [1] * (rest == "more"), len(kinds))
    return [replace(part, kind=EXAMPLES) if _is_steady(part) else part for part in parts]


def _is_steady(part: Part) -> bool:
    return part.kind == EXAMPLES or isinstance(part.kind, Elements)


def _merged(parts: list[Part]) -> list[Part]:
    """One part of each kind."""
    merged: dict[Hashable, Part] = {}
    for part in parts:
        same = merged.get(part.kind)
        merged[part.kind] = part if same is None else Part(part.kind, same.value + part.value, same.denominator)
    return list(merged.values())


def _rest(step: GradientAccumulation) -> str | None:
    """What is in the total beside the compiled losses: "regularisation" alone, "more", or None."""
    model = step.model
    if type(model).compute_loss is not keras.Model.compute_loss:
        return "more"
    regularized = sum(variable.regularizer is not None for variable in model.trainable_variables)
    if len(model.losses) > regularized:
        return "more"
    return "regularisation" if regularized else None


@contextlib.contextmanager
def _watched(step: GradientAccumulation, batch: Batch, y_pred: Any, parts: list[Part]) -> Iterator[None]:
    """Within it, each compiled loss that is computed adds itself to `parts`."""
    compiled = step._compile_loss
    if compiled is None:
        yield
        return
    if not compiled.built:
        # So that there is something to watch; what it assigns is dropped.
        with keras.StatelessScope():
            compiled(batch.y, y_pred, batch.sample_weight)
    own = compiled._flat_losses
    compiled._flat_losses = [
        entry._replace(loss=_Watched(number, entry.loss, entry.loss_weights, batch, parts))
        for number, entry in enumerate(own)
    ]
    try:
        yield
    finally:
        compiled._flat_losses = own


class _Watched:
    """A loss which, when it is called, notes what it was divided by."""

    def __init__(self, number: int, loss: Any, weight: Any, batch: Batch, parts: list[Part]) -> None:
        self.number, self.loss, self.weight, self.batch, self.parts = number, loss, weight, batch, parts

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        computed: list[Tensor] = []
        with _noting(self.loss, computed):
            value = self.loss(y_true, y_pred, sample_weight)
        kind, denominator = self._denominator(computed, y_pred, sample_weight)
        weighted = value if self.weight is None else value * self.weight
        self.parts.append(Part(kind, weighted, denominator))
        return value

    def _denominator(
        self, computed: list[Tensor], y_pred: Tensor, sample_weight: Tensor | None
    ) -> tuple[Hashable, Tensor]:
        """As `keras.losses.Loss` has it; a loss that does not reduce as that does is a mean over examples."""
        reduction = getattr(self.loss, "reduction", None)
        if reduction == SUM and computed:
            return SUM, _count(1)
        if not computed or len(computed[0].shape) == 0:
            return EXAMPLES, _count(self.batch.size)
        values = computed[0]
        mask = _both(get_keras_mask(y_pred), get_keras_mask(values))
        if reduction == "mean_with_sample_weight" and (mask is not None or sample_weight is not None):
            return self, _sum_of_weights(values, mask, sample_weight)
        if mask is not None:
            return self, _count(_real(mask)) * _count(ops.size(values)) / _count(ops.size(mask))
        inner = values.shape[1:]
        if any(length is None for length in inner):
            return self, _count(ops.size(values))
        size = math.prod(inner)
        kind = EXAMPLES if size == 1 else Elements(self.number, size)
        return kind, _count(ops.shape(values)[0]) * size


@contextlib.contextmanager
def _noting(loss: Any, computed: list[Tensor]) -> Iterator[None]:
    """Within it, what a loss' `call` returns, before it is weighted and reduced, is added to `computed`."""
    if not isinstance(loss, keras.losses.Loss):
        yield
        return
    call = loss.call

    def noted(*arguments: Any, **keywords: Any) -> Tensor:
        values = call(*arguments, **keywords)
        computed.append(values)
        return values

    own = vars(loss)
    own["call"] = noted
    try:
        yield
    finally:
        del own["call"]


def _both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return ops.logical_and(one, other)


def _real(mask: Tensor) -> Tensor:
    """How many entries a mask leaves."""
    return ops.sum(ops.cast(mask, _dtype()))


def _sum_of_weights(values: Tensor, mask: Tensor | None, sample_weight: Tensor | None) -> Tensor:
    weights = sample_weight if sample_weight is None else ops.cast(sample_weight, _dtype())
    weights = apply_mask(weights, mask, dtype=_dtype(), reduction="mean_with_sample_weight")
    _, weights = squeeze_or_expand_to_same_rank(values, weights)
    return ops.sum(weights)


def _count(number: Any) -> Tensor:
    """A number as a real tensor, without gradient."""
    return ops.stop_gradient(ops.cast(number, _dtype()))


def _dtype() -> str:
    floatx: str = keras.config.floatx()
    return floatx if floatx == "float64" else "float32"
