"""Stochastic weight averaging."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from zoo_addons.callbacks.batch_statistics import estimate_batch_statistics


class SWA(keras.callbacks.Callback):
    """Average the weights of the last epochs, and give the model the average when training is over.

    After epoch `start_epoch` and every `frequency` epochs from then on, with n the number of averages taken before:

        mean <- mean + (weights - mean) / (n + 1)

    over all trainable variables. Training itself goes on with its own weights, and the optimizer's state is not
    touched; the learning rate should stay high or go in cycles meanwhile. At the end the weights become the mean, and
    the moving statistics of BatchNormalization, which belong to no single set of weights, are estimated anew on `data`.

    Other moving averages of the weights end at the same moment: an optimizer with `use_ema=True` is refused. Callbacks
    that bring back weights of their own at the end (EarlyStopping with `restore_best_weights`) are listed before this
    one, which then has the last word.

    A run that is resumed goes on with the mean, which both `zoo train` and `zoo_addons.Resume` keep: `get_state` gives
    plain JSON, `get_arrays` the mean as NumPy arrays.

    Reference: Izmailov et al. 2018, arXiv:1803.05407.

    Args:
        start_epoch: the first epoch that is averaged, counted from 0: the paper takes three quarters of all.
        frequency: epochs between two averages.
        data: inputs for BatchNorm's statistics: arrays, or an iterable of batches that ends, and can be read as often
            as `fit` is called (a generator can not). Needed where the model has such layers.
        batch_size: for `data` in arrays.

    Attributes:
        averaged: how many sets of weights are in the mean.

    Raises:
        ValueError: in the constructor for a negative start or a frequency below 1; at the start of training for a model
            with BatchNormalization and no `data`, and for an optimizer with `use_ema=True`.
    """

    def __init__(self, start_epoch: int, frequency: int = 1, data: Any = None, batch_size: int = 32) -> None:
        super().__init__()
        if start_epoch < 0 or frequency < 1 or batch_size < 1:
            raise ValueError(
                f"SWA(start_epoch={start_epoch}, frequency={frequency}, batch_size={batch_size}): "
                "start_epoch >= 0, frequency >= 1 and batch_size >= 1 are needed"
            )
        self.start_epoch = start_epoch
        self.frequency = frequency
        self.data = data
        self.batch_size = batch_size
        self.averaged = 0
        self._mean: list[np.ndarray] = []

    @property
    def mean(self) -> list[np.ndarray]:
        """The mean so far, in the order of the model's trainable variables."""
        return [array.copy() for array in self._mean]

    def on_train_begin(self, logs: Any = None) -> None:
        """Check that the average can be used."""
        optimizers = [self.model.optimizer]
        while hasattr(optimizers[-1], "inner_optimizer"):
            optimizers.append(optimizers[-1].inner_optimizer)
        if any(getattr(optimizer, "use_ema", False) for optimizer in optimizers):
            raise ValueError("SWA and use_ema=True both give the model an average at the end: choose one")
        if self.data is None and self._is_normalised():
            raise ValueError("the model has BatchNormalization, whose statistics SWA must estimate anew: SWA(data=x)")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Take the epoch's weights into the mean."""
        if epoch < self.start_epoch or (epoch - self.start_epoch) % self.frequency:
            return
        weights = [np.array(keras.ops.convert_to_numpy(v)) for v in self.model.trainable_variables]
        if self.averaged:
            for mean, array in zip(self._mean, weights, strict=True):
                mean += (array - mean) / (self.averaged + 1)
        else:
            self._mean = weights
        self.averaged += 1

    def on_train_end(self, logs: Any = None) -> None:
        """Give the model the mean; a further `fit` begins a new one."""
        if not self.averaged:
            warnings.warn(f"SWA: no epoch from {self.start_epoch} on was trained: the weights stay", stacklevel=2)
            return
        for variable, mean in zip(self.model.trainable_variables, self._mean, strict=True):
            variable.assign(mean)
        if self.data is not None:
            seen = estimate_batch_statistics(self.model, self.data, self.batch_size)
            if not seen and self._is_normalised():
                warnings.warn(
                    "SWA: its `data` has no examples (any more): BatchNormalization keeps the statistics of the last "
                    "weights, which are not those of the mean",
                    stacklevel=2,
                )
        self._mean, self.averaged = [], 0

    def _is_normalised(self) -> bool:
        layers = self.model._flatten_layers()
        return any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)

    def get_state(self) -> dict[str, Any]:
        """How many sets of weights are in the mean, as plain JSON."""
        return {"averaged": self.averaged}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over the state of an interrupted run."""
        self.averaged = state["averaged"]

    def get_arrays(self) -> dict[str, np.ndarray]:
        """The mean."""
        return {f"mean/{index}": array for index, array in enumerate(self._mean)}

    def set_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over the mean of an interrupted run."""
        self._mean = [np.array(arrays[f"mean/{index}"]) for index in range(len(arrays))]
