"""A model around a model, which is in everything what that one is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

Tensor = Any
"""A tensor of whatever the backend is."""


class Wrapper(keras.Model):
    """A model around a model: the same call, loss, metrics, masks, output names and precision. For subclasses.

    Arguments:
        model: The model inside, afterwards at `.model`.
        **kwargs: `name`.

    Raises:
        ValueError: `model` is no Keras model, wraps another one already, or has a `train_step` of its own; or a
            `tf.distribute` strategy with several replicas is on.
    """

    def __init__(self, model: keras.Model, **kwargs: Any) -> None:
        if not isinstance(model, keras.Model):
            raise ValueError(f"`model` must be a keras.Model. Received: model={model!r}")
        if isinstance(model, Wrapper):
            kinds = f"{type(self).__name__} around {type(model).__name__}"
            raise ValueError(f"`model` trains another model already, and only one of the two could: {kinds}")
        if type(model).train_step is not keras.Model.train_step:
            raise ValueError(
                f"{type(model).__name__} has a `train_step` of its own, which would not be run: what it does there "
                "belongs into `compute_loss`"
            )
        # The model itself casts its inputs, or does not: token numbers and images in uint8 reach it as they are.
        super().__init__(dtype=model.dtype_policy, autocast=False, **kwargs)
        strategy = getattr(self, "_distribute_strategy", None)
        if strategy is not None and strategy.num_replicas_in_sync > 1:
            raise ValueError(f"{type(self).__name__} trains on one replica, not under {type(strategy).__name__}")
        self.model = model
        self.supports_masking = True

    def make_variables(self) -> None:
        """Make what the wrapper remembers. The model has its variables by now."""

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """As `keras.Model.compile`."""
        super().compile(*args, **kwargs)
        if self.model.built and not self.built:
            # So that its weights can be loaded before the first batch.
            self.build((self.model.get_build_config() or {}).get("input_shape"))

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile it as it was when it was saved."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    @contextlib.contextmanager
    def _lent(self) -> Iterator[keras.Model]:
        """The wrapped model, with the loss and metrics that this was compiled with while the block runs.

        So a model with a `compute_loss` or `compute_metrics` of its own works, also where that calls `super()`'s.
        """
        # Past Keras' tracking: the metrics stay the wrapper's.
        own, names = vars(self.model), ("compiled", "_compile_loss", "_compile_metrics", "_loss_tracker")
        before = {name: own[name] for name in names}
        own.update((name, vars(self)[name]) for name in names)
        try:
            yield self.model
        finally:
            own.update(before)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        """The loss as the model computes it: a `compute_loss` of its own counts."""
        with self._lent() as model:
            return model._compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Tensor]:
        """The metrics as the model computes them, and the wrapper's own."""
        with self._lent() as model:
            results = model.compute_metrics(x, y, y_pred, sample_weight)
        return {**results, **{metric.name: metric.result() for metric in self._metrics}}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The loss, what `compile` was given, and the model's and the wrapper's own metrics."""
        with self._lent() as model:
            return [*model.metrics, *self._metrics]

    @property
    def output_names(self) -> list[str]:
        """The names of a functional model's outputs; AttributeError for other models, as Keras expects."""
        return self.model.output_names

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """What the model gives."""
        return self.model(inputs, training=training)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None: outputs have the mask that the model gave them."""

    def build(self, input_shape: Any) -> None:
        """Make the model's variables where it has none yet, and the wrapper's."""
        if self.built:
            return
        if not self.model.built:
            self.model.build_from_config({"input_shape": input_shape})
        self.make_variables()

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        config = keras.saving.serialize_keras_object(self.model)
        # It is the wrapper that is compiled.
        config.pop("compile_config", None)
        return {"name": self.name, "model": config}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Wrapper:
        """Make it, and the model in it, from what `get_config` gave."""
        model = keras.saving.deserialize_keras_object(config["model"], custom_objects=custom_objects)
        return cls(**{**config, "model": model})
