"""Histograms of weights and gradients for TensorBoard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo_addons.callbacks.event_file import EventFile


class Histograms(keras.callbacks.Callback):
    """Write histograms of the weights, and of the loss's gradients on one batch, for TensorBoard.

        model.fit(x, y, callbacks=[Histograms("logs", data=(x[:64], y[:64]))])
        # tensorboard --logdir logs

    At the end of an epoch each trainable variable gives `weights/<path>` and, where a batch is given, also
    `gradients/<path>`: the gradient of the model's whole loss, its regularisation included, on that batch, by
    `zoo_core.gradients`. It is the same batch each time, so that only the model changes between two histograms. The
    gradients are taken as in training (dropout, BatchNorm's batch statistics); what they would leave behind in the
    model (moving averages, seeds) is undone. Keras' own TensorBoard writes no gradients.

    The event files are written by our own few lines: neither TensorFlow nor TensorBoard has to be installed for that,
    whatever the backend. Values that are not finite are left out of a histogram.

    Args:
        folder: for TensorBoard's `--logdir`; each training adds a file.
        data: the batch for gradients, `(x, y)` or `(x, y, sample_weight)`; None for weights alone.
        every: epochs between two histograms; steps are numbered by epochs from 1.
        bins: how finely.

    Raises:
        ValueError: `every` or `bins` is below 1, or `data` is no tuple of two or three.
    """

    def __init__(
        self, folder: str | os.PathLike[str], data: tuple[Any, ...] | None = None, every: int = 1, bins: int = 30
    ) -> None:
        super().__init__()
        if every < 1 or bins < 1:
            raise ValueError(f"Histograms(every={every}, bins={bins}): both should be 1 or more")
        if data is not None and not (isinstance(data, tuple) and len(data) in (2, 3)):
            raise ValueError("Histograms(data=...): it should be (x, y) or (x, y, sample_weight)")
        self.folder = Path(folder)
        self.data = data
        self.every = every
        self.bins = bins
        self._file: EventFile | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin a new file with the first histogram."""
        self._file = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the histograms, if it is their turn."""
        if (epoch + 1) % self.every:
            return
        variables = self.model.trainable_variables
        arrays = {
            f"weights/{variable.path}": np.asarray(keras.ops.convert_to_numpy(variable)) for variable in variables
        }
        if self.data is not None:
            gradients = loss_gradients(self.model, *self.data)
            arrays |= {f"gradients/{v.path}": array for v, array in zip(variables, gradients, strict=True)}
        if self._file is None:
            self._file = EventFile(self.folder)
        self._file.write_histograms(arrays, epoch + 1, self.bins)

    def get_state(self) -> dict[str, Any]:
        """Nothing: a resumed run goes on in a new file, which TensorBoard shows as one with the old."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing."""


def loss_gradients(model: keras.Model, x: Any, y: Any, sample_weight: Any = None) -> list[np.ndarray]:
    """The gradients of a compiled model's loss on a batch, by its trainable variables; the model is left as it was."""
    from zoo_core.gradients import value_and_gradients

    x, y, sample_weight = keras.tree.map_structure(
        lambda array: keras.ops.convert_to_tensor(array), (x, y, sample_weight), none_is_leaf=False
    )
    changing = [*model.non_trainable_variables, *model.metrics_variables]
    before = [np.array(keras.ops.convert_to_numpy(variable)) for variable in changing]

    def loss() -> Any:
        return model.compute_loss(x=x, y=y, y_pred=model(x, training=True), sample_weight=sample_weight, training=True)

    try:
        _, gradients = value_and_gradients(loss, model.trainable_variables, state=model.non_trainable_variables)
    finally:
        for variable, array in zip(changing, before, strict=True):
            variable.assign(array)
    return [np.asarray(keras.ops.convert_to_numpy(gradient)) for gradient in gradients]
