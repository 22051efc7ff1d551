"""How a component or model is tried: made from its example, run, compiled, and put into a Keras model to be saved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo_core import backend, host
from zoo_core.conformance.example import Example
from zoo_core.conformance.kinds import class_of, is_step
from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.conformance.subjects import Item

if TYPE_CHECKING:
    import keras

    from zoo_core.conformance.arrays import Arrays


class Specimen:
    """One component or model on trial; what its checks can share is made once."""

    def __init__(self, item: Item) -> None:
        """Nothing is made yet."""
        backend.ensure()
        # What a check finds must not depend on which were done before.
        backend.set_random_seed(0)
        self.item = item
        self._failure: BaseException | None = None

    @cached_property
    def target(self) -> Any:
        """The class that was registered; raises CheckFailed where it is none of its kind, PluginError."""
        return class_of(self.item)

    def example(self) -> Example:
        """The example as its author declared it, made anew; raises CheckFailed where it is none."""
        return example(self.item)

    def make(self) -> Any:
        """A new instance, under the dtype policy that holds; raises Undecided for a base class."""
        if self.example().base_class:
            raise Undecided("it is a base class, as its example says")
        return self.target(**self.example().arguments)

    @cached_property
    def instance(self) -> Any:
        """An instance that has been used once, in float32."""
        instance = self.make()
        self.run(instance)
        return instance

    def build(self) -> Any:
        """The instance; raises whatever comes of making and using it, which is remembered."""
        try:
            return self.instance
        except BaseException as failure:
            self._failure = failure
            raise

    def require_instance(self) -> Any:
        """The instance; raises Undecided where there is none, which is the check's to tell that builds it."""
        if self._failure is None:
            with contextlib.suppress(Exception):
                return self.build()
        if isinstance(self._failure, Undecided):
            raise self._failure
        raise Undecided("it does not build: see the check 'builds'") from self._failure

    @cached_property
    def outputs(self) -> Arrays:
        """What the instance computes, run eagerly."""
        return self.run(self.require_instance())

    def run(self, instance: Any) -> Arrays:
        """What an instance computes on the example's inputs, run eagerly: the same each time."""
        raise NotImplementedError

    def run_compiled(self, instance: Any) -> tuple[Arrays, Arrays]:
        """What it computes when compiled by XLA, and gradients; raises Undecided where the backend cannot."""
        raise NotImplementedError

    def weights(self, instance: Any) -> list[keras.Variable]:
        """The variables that belong to what it learns or remembers."""
        return []

    def is_random(self, instance: Any) -> bool:
        """Whether it draws random numbers."""
        return False

    def in_model(self, instance: Any) -> keras.Model:
        """A Keras model that can be saved as `.keras` and has the instance in it; Undecided where Keras saves none."""
        raise NotImplementedError

    def from_model(self, model: keras.Model) -> Any:
        """The instance in a model that `in_model` made and Keras loaded."""
        raise NotImplementedError


def specimen(item: Item) -> Specimen:
    """The specimen of an item, of which nothing is made yet."""
    from zoo_core.conformance.called import Called, CalledLoss
    from zoo_core.conformance.fitted import FittedCallback, FittedOptimizer, FittedStep

    backend.ensure()
    if is_step(item):
        return FittedStep(item)
    kinds = {"losses": CalledLoss, "optimizers": FittedOptimizer, "callbacks": FittedCallback}
    return kinds.get(item.kind, Called)(item)


def example(item: Item) -> Example:
    """An item's example as an Example, made anew where a function makes it; raises CheckFailed where it is none."""
    assert item.registration is not None
    given = host.resolve(item.registration.example)
    made = given() if callable(given) else given
    if made is None or isinstance(made, Mapping):
        return Example(arguments=made or {})
    if not isinstance(made, Example):
        raise CheckFailed(f"its example is {type(made).__name__}, not an Example or a dictionary of arguments")
    return made


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Keras' dtype policy while the block runs."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
