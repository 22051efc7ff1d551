from dataclasses import dataclass

from zoo_core.errors import RecipeError
from zoo_core.recipes import ImageRecipe


@dataclass(frozen=True, kw_only=True)
class PondRecipe(ImageRecipe):
    """Adam under a cosine schedule."""

    variants = {"mnist": {"units": 64}}

    data: str = ""
    epochs: int = 8
    batch_size: int = 8
    learning_rate: float = 0.02
    units: int = 3
    widths: tuple[int, ...] = (1,)
    note: str | None = None

    def inputs(self, data):
        if data.train_labels is None:
            raise RecipeError(f"{data.name} has no labels")
        return data.train, data.train_labels

    def batch(self, inputs, index, random):
        images, labels = inputs
        flipped = images[index][:, :, ::-1] if random.random() < 0.5 else images[index]
        return flipped, labels[index]

    def arguments(self, data):
        return {"image_shape": data.shape, "classes": int(data.train_labels.max()) + 1, "units": self.units}

    def compile(self, model, steps):
        import keras

        schedule = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(schedule, use_ema=True, ema_momentum=0.5), loss, metrics=["accuracy"])

    def callbacks(self, model, data, folder):
        from zoo_pond.callbacks import StepCounter

        return [StepCounter()]

    def sample(self, model, folder, epoch):
        (folder / f"epoch-{epoch:04d}.txt").write_text(f"{model.count_params()} numbers\n")

    def evaluate(self, model, data, seed, limit=None):
        images, labels = data.test[:limit], data.test_labels[:limit]
        right = model.predict(images, verbose=0).argmax(axis=-1) == labels
        return {"accuracy": right.mean(), "accuracy_standard_error": right.std() / len(right) ** 0.5}

    def baselines(self, data):
        return {"always_large_accuracy": (data.test_labels == 1).mean()}

    def tolerance(self, metric, standard_error):
        return 0.001
