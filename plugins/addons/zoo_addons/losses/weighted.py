"""A weighted sum of losses, whose weights can change while a model is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from zoo_addons.layers.arguments import at_least_float32
from zoo_addons.losses import structures, terms, weights
from zoo_addons.steps.wrapper import Wrapper

Tensor = Any
"""A tensor of whatever the backend is."""


@keras.saving.register_keras_serializable(package="addons")
class WeightedLosses(keras.Model):
    """A model trained on a weighted sum of losses, `L = sum_t w_t L_t`, whose weights can be scheduled.

        model = WeightedLosses(network, {"logits": ce, "features": center}, {"logits": 0.9, "features": 0.1})
        model.compile("adam", metrics={"logits": "accuracy"})          # no loss: it has them
        model.fit(x, y)                                                # one y for all terms, or {"logits": y1, ...}

    A term sees the model's output of the same name, or the only output there is; `outputs` says otherwise, so that
    several terms may see one output. A loss is anything that Keras takes, or a layer, which may have state, such as the
    centers of `metric-learning/CenterLoss`: its weights are trained and saved with the model.

    The weights are variables, `model.loss_weights["features"]`. They change in one of three ways, all of which hold in
    compiled training on every backend:

        WeightedLosses(..., {"logits": 0.9, "features": PiecewiseLinear(0.1, {1000: 1.0})})   # by batches trained
        model.fit(..., callbacks=[HyperParameterSchedule("loss_weights.features", LinearSchedule(0, 0.1, 10))])
        model.loss_weights["features"].assign(0.05)

    Every term is reported without its weight, as `features_loss`; the sum, with the regularisation of the model's
    layers, as `loss`. Evaluation weighs as training last did. The model inside is at `.model`, where it can be saved by
    itself; predictions are its own, but a `compute_loss` of its own does not count. Training steps
    (`GradientAccumulation`, `SAM`, ...) go around this one.

    Args:
        model: what is trained: one output, or a list or dictionary of outputs.
        losses: term -> loss: the name of a Keras loss, a `keras.losses.Loss`, a function of `(y_true, y_pred)`, or a
            layer called so, or with `[y_pred, y_true]` if it adds its loss by `add_loss`. Functions and layers give
            one value for each example, which is weighted by `sample_weight` and averaged; a layer may also give one
            number, and take `sample_weight` itself.
        loss_weights: term -> a number, or a schedule: a `keras.optimizers.schedules.LearningRateSchedule`, or a
            function of the number of batches trained that computes with `keras.ops`. What is not named weighs 1.
        outputs: term -> the name or number of the output that it sees, where that is not the term's name.
        **kwargs: `name`.

    Call arguments:
        inputs: whatever the model takes.

    Raises:
        ValueError: for no terms, weights or outputs of unknown terms, a weight that is not finite, a loss that does not
            reduce, an output or target that there is not, a loss given to `compile`, and a training step in place of
            the model.

    References:
        Wen et al., 2016. A discriminative feature learning approach for deep face recognition. ECCV
        Su, 2017. kexue.fm/archives/4493; Su, 2018. kexue.fm/archives/5765
    """

    def __init__(
        self,
        model: keras.Model,
        losses: Mapping[str, Any],
        loss_weights: Mapping[str, Any] | None = None,
        outputs: Mapping[str, str | int] | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(model, keras.Model):
            raise ValueError(f"WeightedLosses takes a keras.Model, got {type(model).__name__}")
        if isinstance(model, Wrapper):
            kind = type(model).__name__
            raise ValueError(f"WeightedLosses goes inside of a training step: {kind}(WeightedLosses(model, ...))")
        _require_terms(losses, {"loss_weights": loss_weights or {}, "outputs": outputs or {}})
        # The model itself casts its inputs, or does not: token numbers and images in uint8 reach it as they are.
        super().__init__(dtype=model.dtype_policy, autocast=False, **kwargs)
        self.model = model
        self.supports_masking = True
        self.terms = {name: terms.as_loss(name, loss) for name, loss in losses.items()}
        self.outputs_seen = {name: (outputs or {}).get(name, name) for name in losses}
        self.schedules = {name: weights.as_weight(name, (loss_weights or {}).get(name, 1.0)) for name in losses}
        self.iterations = self._scalar("iterations", 0, "int32")
        self.loss_weights = {name: self._scalar(f"{name}_weight", self._at(name, 0), "float32") for name in losses}
        self.means = {name: keras.metrics.Mean(name=f"{name}_loss") for name in losses}

    def _scalar(self, name: str, value: Any, dtype: str) -> keras.Variable:
        initializer = keras.initializers.Constant(value)
        return self.add_weight(
            name=name, shape=(), initializer=initializer, trainable=False, dtype=dtype, autocast=False
        )

    def _at(self, name: str, iteration: int) -> float:
        return float(ops.convert_to_numpy(weights.at(self.schedules[name], ops.convert_to_tensor(iteration, "int32"))))

    def build(self, input_shape: Any) -> None:
        """Make the model's variables where it has none yet."""
        if not self.model.built:
            self.model.build_from_config({"input_shape": input_shape})

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """What the model gives."""
        y_pred = self.model(inputs, training=training)
        for name, loss in self.terms.items():
            if isinstance(loss, keras.layers.Layer) and not loss.built:
                terms.build(name, loss, structures.output_of(y_pred, self.outputs_seen[name], self._names()))
        return y_pred

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None: outputs have the mask that the model gave them."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        """The weighted sum, and whatever losses the layers added. In training, the schedules go on by one batch."""
        if self._compile_loss is not None:
            raise ValueError("WeightedLosses has its losses: compile it without one")
        structures.require_known(sample_weight, y_pred, self.outputs_seen, self._names())
        if training:
            self._follow_schedules()
        dtype = at_least_float32(keras.config.floatx())
        total = sum((ops.sum(ops.cast(added, dtype)) for added in self.losses), ops.zeros((), dtype))
        for name, loss in self.terms.items():
            seen, names = self.outputs_seen[name], self._names()
            target = structures.target_of(y, name, seen, names)
            weight = structures.weights_of(sample_weight, name, seen, names)
            value = terms.value(loss, target, structures.output_of(y_pred, seen, names), weight, training)
            self.means[name].update_state(value, sample_weight=structures.batch_size(y_pred))
            total = total + ops.cast(self.loss_weights[name], dtype) * ops.cast(value, dtype)
        return total

    def _follow_schedules(self) -> None:
        for name, schedule in self.schedules.items():
            if callable(schedule):
                self.loss_weights[name].assign(weights.at(schedule, self.iterations.value))
        self.iterations.assign(self.iterations + 1)

    def _names(self) -> list[str]:
        return list(getattr(self.model, "output_names", None) or [])

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Of each output, which sees the one target where there is only one."""
        y, sample_weight = (
            structures.by_output(given, y_pred, self.outputs_seen, self._names()) for given in (y, sample_weight)
        )
        return super().compute_metrics(x, y, y_pred, sample_weight)

    @property
    def output_names(self) -> list[str]:
        """The names of a functional model's outputs; AttributeError for other models, as Keras expects."""
        return self.model.output_names

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        model = keras.saving.serialize_keras_object(self.model)
        # It is this one that is compiled.
        model.pop("compile_config", None)
        return {
            "name": self.name,
            "model": model,
            "losses": {name: terms.serialized(loss) for name, loss in self.terms.items()},
            "loss_weights": {name: weights.serialized(weight) for name, weight in self.schedules.items()},
            "outputs": dict(self.outputs_seen),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> WeightedLosses:
        """One of these arguments, with new weights."""
        made = {
            "model": keras.saving.deserialize_keras_object(config["model"], custom_objects=custom_objects),
            "losses": {name: terms.deserialized(each, custom_objects) for name, each in config["losses"].items()},
            "loss_weights": {
                name: weights.deserialized(each, custom_objects) for name, each in config["loss_weights"].items()
            },
        }
        return cls(**{**config, **made})


def _require_terms(losses: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ValueError where there are no terms, or something is said of a term that there is not."""
    if not isinstance(losses, Mapping) or not losses:
        raise ValueError("WeightedLosses takes a dictionary of at least one loss, by the names of its terms")
    for argument, given in others.items():
        if not isinstance(given, Mapping):
            raise ValueError(f"WeightedLosses takes a dictionary as {argument}, by the names of the terms")
        if unknown := [name for name in given if name not in losses]:
            known = ", ".join(losses)
            raise ValueError(f"WeightedLosses: {argument} names {', '.join(map(str, unknown))}; the terms are {known}")
