import math

import keras

from zoo_pond.layers import Maxout


@keras.saving.register_keras_serializable(package="pond")
class Pond(keras.Model):
    """Logits of uint8 images: `(batch, height, width, channels)` to `(batch, classes)`."""

    argument_limits = {"image_shape": (1, 1024), "classes": (2, 10_000), "units": (1, 4096), "pieces": (1, 16)}

    def __init__(self, image_shape, classes, units=3, pieces=2, **kwargs):
        super().__init__(**kwargs)
        self.arguments = {"image_shape": list(image_shape), "classes": classes, "units": units, "pieces": pieces}
        self.flatten = keras.layers.Flatten()
        self.hidden = Maxout(units, pieces)
        self.head = keras.layers.Dense(classes)
        self.hidden.build((None, math.prod(image_shape)))
        self.head.build((None, units))
        self.built = True

    @classmethod
    def check_arguments(cls, arguments):
        if len(arguments["image_shape"]) != 3:
            raise ValueError("image_shape: expected height, width and channels")

    def call(self, images):
        pixels = keras.ops.cast(images, "float32") / 255
        return self.head(self.hidden(self.flatten(pixels)))

    def get_config(self):
        return dict(self.arguments)
