import keras


@keras.saving.register_keras_serializable(package="pond")
class SignDescent(keras.optimizers.Optimizer):
    """Steps of one length along the sign of the gradient."""

    def __init__(self, learning_rate=0.01, name="sign_descent", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)

    def update_step(self, gradient, variable, learning_rate):
        rate = keras.ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, rate * keras.ops.sign(gradient))
