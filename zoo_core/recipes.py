"""Training recipes: settings as a frozen dataclass, and the few methods that say what is trained on what."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from zoo_core.errors import RecipeError

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo_core.data import Splits

    Array = np.ndarray[Any, Any]

R = TypeVar("R", bound="Recipe")

STANDARD_ERROR = "_standard_error"
"""What the name of a metric's standard error ends in."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one model is trained and measured. The fields are its settings: `zoo train NAME --set epochs=30`.

    A plugin's recipe subclasses this as a frozen keyword-only dataclass, adds fields with defaults, and overrides
    `arguments`, `compile` and `evaluate` at least. `variants` gives other defaults for some data:
    `{"mnist": {"epochs": 40}}`. Randomness belongs to `keras.random.SeedGenerator`s held by the model, or to the
    generator that `batch` is given: only those survive an interruption unchanged.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    own_data: ClassVar[Mapping[str, Callable[[], Any]]] = {}
    """Data that the plugin makes or gets by itself: name -> a function that gives its splits."""
    measured_on: ClassVar[str] = ""
    """The data that every model is measured on, whatever it was trained on; "": that which it was trained on."""
    license: ClassVar[str] = "Apache-2.0"
    resumable: ClassVar[frozenset[str]] = frozenset({"epochs", "sample_every"})
    """The settings that may change when a run is resumed."""

    data: str
    epochs: int
    batch_size: int
    seed: int = 0
    validation: int = 0
    """Examples taken off the end of the training split, never trained on."""
    sample_every: int = 1
    """Epochs between two calls of `sample`; 0: never."""
    precision: str = "float32"
    """Keras' dtype policy that the model is trained under, as in "mixed_bfloat16"; its weights stay float32."""

    def load(self, source: str | Path) -> Splits:
        """The data to train and measure on, by name or path."""
        from zoo_core.data import load_data

        return load_data(source, validation=self.validation, own=self.own_data)

    def inputs(self, data: Splits) -> Any:
        """What is trained on: an array, or a tuple of arrays (x, y) of equal length: examples along the first axis."""
        return data.train

    def batch(self, inputs: Any, index: Array, random: np.random.Generator) -> Any:
        """One batch out of `inputs`; `index` is `(batch,)`. To augment, draw from `random`, which is new for each."""
        if isinstance(inputs, tuple):
            return tuple(array[index] for array in inputs)
        return inputs[index]

    def arguments(self, data: Splits) -> dict[str, Any]:
        """The model's constructor arguments: what config.json will hold."""
        raise NotImplementedError

    def initialise(self, model: keras.Model, data: Splits) -> None:
        """Create all variables and set those that depend on data: by default by calling the model on one example.

        Called before `compile`, also when a run is resumed (its variables are overwritten then).
        """
        inputs = self.inputs(data)
        model(inputs[0][:1] if isinstance(inputs, tuple) else inputs[:1])

    def compile(self, model: keras.Model, steps: int) -> None:
        """Compile the model; `steps` is the number of optimizer steps of the whole run, for schedules."""
        raise NotImplementedError

    def callbacks(self, model: keras.Model, data: Splits, folder: Path) -> list[Any]:
        """Keras callbacks; the state of those with `get_state() -> dict` and `set_state(state)` (plain JSON) lasts."""
        return []

    @contextlib.contextmanager
    def averaged(self, model: keras.Model) -> Iterator[None]:
        """Inside, the model has the weights that a preset gets: the optimizer's moving average where it keeps one."""
        import keras

        raw = [keras.ops.convert_to_numpy(variable).copy() for variable in model.trainable_variables]
        model.optimizer.finalize_variable_values(model.trainable_variables)
        try:
            yield
        finally:
            for variable, value in zip(model.trainable_variables, raw, strict=True):
                variable.assign(value)

    def sample(self, model: keras.Model, folder: Path, epoch: int) -> None:
        """Write something to look at into `folder`; `epoch` counts from 1."""

    def evaluate(self, model: keras.Model, data: Splits, seed: int, limit: int | None = None) -> dict[str, float]:
        """Measure the model on `data.test`, or its first `limit` examples: metric -> value.

        A metric's standard error goes beside it as `<metric>_standard_error`. `seed` fixes whatever is drawn.
        """
        raise NotImplementedError

    def baselines(self, data: Splits) -> dict[str, float]:
        """What a trivial model reaches on `data.test`, by a name that says which and in what: to compare with."""
        return {}

    def tolerance(self, metric: str, standard_error: float) -> float:
        """By how much a metric may be off when it is measured again."""
        return max(0.005, 3 * standard_error)


@dataclass(frozen=True, kw_only=True)
class ImageRecipe(Recipe):
    """A recipe for images, which may lie in a folder and be of any size there."""

    image_size: int = 0
    """The side to which the images of a folder are cropped and reduced; 0: they are taken as they are."""

    def load(self, source: str | Path) -> Splits:
        """The images to train and measure on."""
        from zoo_core.data import load_data

        return load_data(source, size=self.image_size, validation=self.validation, own=self.own_data)


@dataclass(frozen=True, slots=True)
class Task:
    """A model that can be trained: its full name `plugin/name`, its class, and its recipe's class."""

    name: str
    model: type[Any]
    recipe: type[Recipe]


def make_recipe(recipe: type[R], data: str, settings: Mapping[str, Any]) -> R:
    """A recipe with the defaults of the class, then of `variants` for this data, then `settings` (strings are parsed).

    Raises RecipeError for unknown settings and for values of the wrong type.
    """
    chosen = {**recipe.variants.get(data, {}), **settings}
    if data:
        chosen["data"] = data
    types = setting_types(recipe)
    values = {name: _parse(recipe, name, value, types) for name, value in chosen.items()}
    try:
        made = recipe(**values)
    except TypeError as error:
        raise RecipeError(f"{recipe.__name__} is no complete recipe: {error}") from error
    for name in ("epochs", "batch_size"):
        if getattr(made, name) < 1:
            raise RecipeError(f"setting {name}: expected at least 1")
    return made


def recipe_from_record(record: Mapping[str, Any]) -> Recipe:
    """The recipe of a run.json, with the settings that it records; those that the recipe no longer has are left out."""
    recipe = find_recipe(record["model"]).recipe
    known = setting_types(recipe)
    return make_recipe(recipe, "", {name: value for name, value in record["settings"].items() if name in known})


def find_recipe(reference: str) -> Task:
    """The model behind a name, and how to train it; loads the plugin's code, and so Keras.

    Raises RecipeError where the model comes without a recipe, NotInstalledError, PluginError, and what a name can be
    wrong in.
    """
    from zoo_core import backend, host
    from zoo_core.index import find_model

    plugin, model = find_model(reference)
    name = f"{plugin.name}/{model.name}"
    registered = host.model(plugin, model.name)
    if not registered.recipe:
        raise RecipeError(f"{name} has no recipe to train it by")
    backend.ensure()
    return Task(name, host.resolve(registered.target), host.resolve(registered.recipe))


def default_data(recipe: type[Recipe]) -> str:
    """The data that a recipe is for when none is named; "" where it has none."""
    default = next(field.default for field in fields(recipe) if field.name == "data")
    return default if isinstance(default, str) else ""


def setting_types(recipe: type[Recipe]) -> dict[str, Any]:
    """Setting -> type, in the order in which the recipe declares them."""
    from typing import get_type_hints

    hints = get_type_hints(recipe)
    return {field.name: hints[field.name] for field in fields(recipe)}


def _parse(recipe: type[Recipe], name: str, value: Any, types: Mapping[str, Any]) -> Any:
    from zoo_core.names import suggest

    if name not in types:
        raise RecipeError(
            f"{recipe.__name__} has no setting '{name}'{suggest(name, types)}", f"settings: {', '.join(types)}"
        )
    try:
        return _convert(value, types[name])
    except ValueError as error:
        raise RecipeError(f"setting {name}={value!r}: {error}") from error


def _convert(value: Any, kind: Any) -> Any:
    """A value of this type out of what the command line, `variants` or a run.json holds. Raises ValueError."""
    from types import NoneType, UnionType
    from typing import Union, get_args, get_origin

    if get_origin(kind) in (Union, UnionType):
        if value is None or value == "none":
            return _require(None, NoneType in get_args(kind), "a value")
        return _convert(value, next(option for option in get_args(kind) if option is not NoneType))
    if get_origin(kind) in (tuple, list):
        items = value.split(",") if isinstance(value, str) else value
        _require(items, isinstance(items, (list, tuple)), "a list")
        return get_origin(kind)(_convert(item, get_args(kind)[0]) for item in items)
    if isinstance(value, str) and kind is not str:
        return _convert_text(value.strip(), kind)
    whole_as_float = kind is float and isinstance(value, int) and not isinstance(value, bool)
    return _require(float(value) if whole_as_float else value, whole_as_float or type(value) is kind, _type_name(kind))


def _convert_text(text: str, kind: Any) -> Any:
    if kind is bool:
        return _require(text.lower() in _TRUE, text.lower() in _TRUE | _FALSE, _TYPE_NAMES[bool])
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"expected {_type_name(kind)}") from None
    return _require(value, math.isfinite(value), _type_name(kind))


def _require(value: Any, fits: bool, expected: str) -> Any:
    if not fits:
        raise ValueError(f"expected {expected}")
    return value


def _type_name(kind: Any) -> str:
    return _TYPE_NAMES.get(kind, str(kind))


_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}
_TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
