"""Training towards flat minima."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo_addons.steps.step import Batch, Evaluation, Tensor, TrainStep


@keras.saving.register_keras_serializable(package="addons")
class SAM(TrainStep):
    """A training step of sharpness-aware minimisation: the gradient where the loss nearby is worst.

        model = SAM(model, rho=0.05)
        model.compile("adam", loss="mse")
        model.fit(x, y)

    The weights w are moved uphill by rho, the gradient is taken there, and the optimizer, whichever it is, applies it
    to the weights as they were:

        g = gradient at w
        e = rho * g / |g|                               |.| is over all weights
        w <- update of w by the gradient at w + e

    and with `adaptive` (ASAM) the ball is as wide along each weight as that is large, so that it does not matter how a
    network's layers are scaled:

        e = rho * T^2 g / |T g|,  T = |w| + eta

    Both gradients are on the same batch, under the same dropout masks; statistics of batch normalisation move once, at
    w. A step costs two gradients. The loss that is reported is that at w.

    Arguments:
        model: The model to train.
        rho: Radius of the ball, not negative; 0.05 is usual, and 0.5 to 2 with `adaptive`. With 0 it is plain training.
        adaptive: Whether to do ASAM.
        eta: ASAM's least size of a weight, not negative.
        **kwargs: `name`.

    Raises:
        ValueError: A negative rho or eta; `model` is no Keras model, or a training step itself.

    References:
        Foret, Kleiner, Mobahi and Neyshabur, 2020, arXiv:2010.01412; Kwon, Kim, Park and Choi, 2021, arXiv:2102.11600.
    """

    def __init__(
        self, model: keras.Model, rho: float = 0.05, adaptive: bool = False, eta: float = 0.01, **kwargs: Any
    ) -> None:
        super().__init__(model, **kwargs)
        for name, value in (("rho", rho), ("eta", eta)):
            if value < 0:
                raise ValueError(f"`{name}` must not be negative. Received: {name}={value}")
        self.rho, self.adaptive, self.eta = rho, adaptive, eta

    def update(self, batch: Batch) -> Evaluation:
        """Uphill, and from there down."""
        here = batch.evaluate()
        scales = self._scales()
        stretched = [scale * gradient for scale, gradient in zip(scales, here.gradients, strict=True)]
        uphill = [scale * gradient for scale, gradient in zip(scales, stretched, strict=True)]
        there = batch.evaluate(at=self.moved(self.rho * _reciprocal(_norm(stretched)), uphill))
        self.apply_gradients(there.gradients)
        return here

    def _scales(self) -> Sequence[Tensor]:
        """ASAM's T; 1 for SAM."""
        if not self.adaptive:
            return [1.0] * len(self.trainable_variables)
        return [ops.abs(variable.value) + self.eta for variable in self.trainable_variables]

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {**super().get_config(), "rho": self.rho, "adaptive": self.adaptive, "eta": self.eta}


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    """The Euclidean norm of all together, at least in single precision."""
    wide = "float64" if keras.config.floatx() == "float64" else "float32"
    return ops.sqrt(sum(ops.sum(ops.square(ops.cast(tensor, wide))) for tensor in tensors))


def _reciprocal(norm: Tensor) -> Tensor:
    """1 / norm, and 0 for 0: without a gradient there is no uphill."""
    flat = norm == 0
    return ops.where(flat, ops.zeros_like(norm), 1 / ops.where(flat, ops.ones_like(norm), norm))
