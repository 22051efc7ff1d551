"""One of each kind."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="coral")
class Quartic(keras.losses.Loss):
    """The fourth power of the error."""

    def call(self, y_true, y_pred):
        return ops.mean((y_true - y_pred) ** 4, axis=-1)


@keras.saving.register_keras_serializable(package="coral")
class Scale(keras.layers.Layer):
    """A linear map, times a factor."""

    def __init__(self, units, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.factor = factor

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")

    def call(self, x):
        return ops.matmul(x, self.kernel) * self.factor

    def get_config(self):
        return {**super().get_config(), "units": self.units, "factor": self.factor}


@keras.saving.register_keras_serializable(package="coral")
class Noise(keras.layers.Layer):
    """Adds noise."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.random = keras.random.SeedGenerator(seed=1)

    def call(self, x):
        return x + keras.random.normal(ops.shape(x), dtype=x.dtype, seed=self.random)


@keras.saving.register_keras_serializable(package="coral")
class Blend(keras.layers.Layer):
    """The sum of two inputs, each through the same layer, and how many examples there are."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def build(self, input_shape):
        if not self.inner.built:
            self.inner.build(input_shape[0])

    def call(self, inputs):
        first, second = inputs
        blended = self.inner(first) + self.inner(second)
        return {"blended": blended, "sizes": ops.cast(ops.sum(ops.ones_like(blended), axis=-1), "int32")}

    def get_config(self):
        return {**super().get_config(), "inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "inner": keras.saving.deserialize_keras_object(config["inner"])})


@keras.saving.register_keras_serializable(package="coral")
class Drift(keras.optimizers.Optimizer):
    """Gradient descent that goes on drifting."""

    def __init__(self, learning_rate=0.01, drift=0.5, name="drift", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.drift = drift

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.motion = [self.add_variable_from_reference(each, name="motion") for each in variables]

    def update_step(self, gradient, variable, learning_rate):
        motion = self.motion[self._get_variable_index(variable)]
        gradient = ops.cast(gradient, variable.dtype)
        self.assign(motion, self.drift * motion + gradient)
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * motion)

    def get_config(self):
        return {**super().get_config(), "drift": self.drift}


@keras.saving.register_keras_serializable(package="coral")
class Swell(keras.Model):
    """A training step: it trains a model by a loss that is higher, and counts the batches."""

    def __init__(self, model, height=3.0, **kwargs):
        super().__init__(dtype=model.dtype_policy, **kwargs)
        self.model = model
        self.height = height
        self.batches = self.add_weight(shape=(), initializer="zeros", trainable=False, name="batches")
        self.built = True

    def call(self, x, training=None):
        if training:
            self.batches.assign(self.batches + 1)
        return self.model(x)

    def compute_loss(self, *args, **kwargs):
        return self.height * super().compute_loss(*args, **kwargs)

    def get_config(self):
        return {"name": self.name, "height": self.height, "model": keras.saving.serialize_keras_object(self.model)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "model": keras.saving.deserialize_keras_object(config["model"])})


class Tide(keras.callbacks.Callback):
    """Counts the epochs."""

    def __init__(self):
        super().__init__()
        self.epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1

    def get_state(self):
        return {"epochs": self.epochs}

    def set_state(self, state):
        self.epochs = state["epochs"]


@keras.saving.register_keras_serializable(package="coral")
class Reef(keras.Model):
    """Vectors of four numbers to as many as there are units."""

    def __init__(self, units, gain=1.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.gain = gain
        self.dense = keras.layers.Dense(units)
        self.dense.build((None, 4))
        self.built = True

    def call(self, x):
        return self.dense(x) * self.gain

    def get_config(self):
        return {"units": self.units, "gain": self.gain}


class ReefRecipe:
    """How a reef would be trained."""
