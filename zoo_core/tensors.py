"""Structural names for a model's weights, the same at every construction and on every backend; assignment by them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from zoo_core.errors import WeightsError
from zoo_core.text import clean, plural

if TYPE_CHECKING:
    import keras
    import numpy as np

Specs = Mapping[str, tuple[str, tuple[int, ...]]]
"""Dtype and shape of tensors by name."""

_NAMES_SHOWN = 3


def tensor_variables(model: keras.Layer) -> dict[str, keras.Variable]:
    """Every weight of a model or layer by its structural name, such as `levels/0/steps/3/coupling/net/conv1/kernel`.

    A name is the way from the root to the variable: attribute names without leading underscores, list indices,
    dictionary keys; the layers of a Functional or Sequential model are `layers/<index>`. What is shared goes by its
    first name, in alphabetical order of attributes. Optimizer, metric and seed-generator state is no weight.
    (`Variable.path` will not do: it changes with every construction in a process and with the method that was called
    first.)

    Raises WeightsError where two weights would have one name, or where no attribute leads to a weight.
    """
    collector = _Collector({id(variable) for variable in model.weights})
    collector.visit(model, "")
    found = {id(variable) for variable in collector.variables.values()}
    if unreachable := [variable.path for variable in model.weights if id(variable) not in found]:
        raise WeightsError(
            f"{type(model).__name__}: no attribute leads to {_listed(unreachable)}",
            "keep every weight and layer as an attribute, or in a list, tuple or dict that is one",
        )
    return collector.variables


def tensor_arrays(model: keras.Layer) -> dict[str, np.ndarray]:
    """Copies of a model's weights by their structural names, as NumPy arrays."""
    import keras
    import numpy as np

    # What Keras gives may be a view of memory that the next training step changes.
    return {name: np.array(keras.ops.convert_to_numpy(variable)) for name, variable in tensor_variables(model).items()}


def check_specs(variables: Mapping[str, keras.Variable], specs: Specs, where: str) -> None:
    """Raise WeightsError unless `specs`, name -> (dtype, shape), has these variables' names, dtypes and shapes."""
    if missing := [name for name in variables if name not in specs]:
        raise WeightsError(f"{where}: {plural(len(missing), 'tensor')} missing: {_listed(missing)}")
    if left_over := [name for name in specs if name not in variables]:
        raise WeightsError(f"{where}: {plural(len(left_over), 'tensor')} left over: {_listed(left_over)}")
    for name, variable in variables.items():
        expected = (variable.dtype, tuple(variable.shape))
        if specs[name] != expected:
            raise WeightsError(f"{where}: tensor '{name}': expected {_spec(*expected)}, found {_spec(*specs[name])}")


def check_finite(arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Raise WeightsError where a number is NaN or infinite."""
    import numpy as np

    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            count = int(array.size - np.isfinite(array).sum())
            raise WeightsError(
                f"{where}: tensor '{clean(name)}': expected finite numbers, found {count} NaN or infinite"
            )


def assign_tensors(model: keras.Layer, arrays: Mapping[str, np.ndarray], where: str = "the tensors") -> None:
    """Give a built model these weights: all of them, or, where anything does not fit, none.

    `arrays` is keyed by structural name; names, dtypes and shapes must be the model's own. Raises WeightsError.
    """
    import keras
    import numpy as np

    variables = tensor_variables(model)
    check_specs(variables, {name: (array.dtype.name, array.shape) for name, array in arrays.items()}, where)
    check_finite(arrays, where)
    # JAX may go on using an array's memory instead of copying it, and would keep a whole file for one tensor in it.
    shared = keras.backend.backend() == "jax"
    for name, variable in variables.items():
        variable.assign(np.array(arrays[name]) if shared else arrays[name])


class _Collector:
    """Walks from a layer along its attributes and remembers the weights it meets by the way there."""

    def __init__(self, weights: set[int]) -> None:
        self.variables: dict[str, keras.Variable] = {}
        self._wanted = weights
        self._layers_seen: set[int] = set()

    def visit(self, value: object, path: str) -> None:
        import keras

        if isinstance(value, keras.Variable):
            self._take(value, path)
        elif isinstance(value, keras.Layer):
            if id(value) not in self._layers_seen:
                self._layers_seen.add(id(value))
                self._visit_all(_children(value), path)
        elif isinstance(value, dict):
            items = [(str(key), item) for key, item in value.items()]
            self._visit_all(sorted(items, key=lambda item: item[0]), path)
        elif isinstance(value, (list, tuple)):
            self._visit_all([(str(index), item) for index, item in enumerate(value)], path)

    def _visit_all(self, children: Iterable[tuple[str, object]], path: str) -> None:
        for name, child in children:
            self.visit(child, f"{path}/{name}" if path else name)

    def _take(self, variable: keras.Variable, path: str) -> None:
        if id(variable) not in self._wanted:
            return
        if clean(path) != path:
            raise WeightsError(f"a weight cannot be called '{clean(path)}'", "rename the key that leads to it")
        if path in self.variables:
            raise WeightsError(f"two weights would be called '{path}'", "rename one of the attributes")
        self._wanted.remove(id(variable))
        self.variables[path] = variable


def _children(layer: keras.Layer) -> Iterator[tuple[str, object]]:
    import keras

    # Functional and Sequential models replace `Model.layers` by the layers of their graph, in its order.
    if isinstance(layer, keras.Model) and type(layer).layers is not keras.Model.layers:
        yield "layers", layer.layers
    held: dict[str, Any] = dict(vars(layer))
    # On PyTorch a layer is a torch.nn.Module, which keeps the layers assigned to it there.
    held.update(held.get("_modules") or {})
    for name in sorted(held.keys() - _attributes_of_keras(), key=lambda name: (name.lstrip("_"), name)):
        # TensorFlow keeps its own list of what was assigned, under names with this prefix.
        if not name.startswith("_self_"):
            yield name.lstrip("_"), held[name]


@functools.cache
def _attributes_of_keras() -> frozenset[str]:
    """The instance attributes that Keras itself gives a layer or model, found on empty ones."""
    import keras

    examples = (keras.Layer(name="layer"), keras.Model(name="model"), keras.Sequential(name="sequential"))
    return frozenset().union(*(vars(example) for example in examples))


def _spec(dtype: str, shape: tuple[int, ...]) -> str:
    return f"{dtype} of shape {shape}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{clean(name)[:200]}'" for name in names[:_NAMES_SHOWN])
    return f"{shown} and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else shown
