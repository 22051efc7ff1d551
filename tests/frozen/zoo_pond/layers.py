import keras


@keras.saving.register_keras_serializable(package="pond")
class Maxout(keras.layers.Layer):
    """The largest of several linear maps: `(batch, d)` to `(batch, units)` (Goodfellow et al., 2013)."""

    def __init__(self, units, pieces=2, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.pieces = pieces
        self.dense = keras.layers.Dense(units * pieces)

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, x):
        pieces = keras.ops.reshape(self.dense(x), (-1, self.units, self.pieces))
        return keras.ops.max(pieces, axis=-1)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "pieces": self.pieces}
