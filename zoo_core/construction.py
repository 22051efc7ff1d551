"""Building a model out of arguments that come from a file: checked first, and no memory taken before the sizes fit."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from zoo_core.errors import PresetError, ZooError
from zoo_core.names import suggest
from zoo_core.text import clean

if TYPE_CHECKING:
    import keras

    Check = Callable[[Mapping[str, keras.Variable]], None]

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def parameters(model_class: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The constructor's parameters that can be given by name."""
    signature = inspect.signature(model_class)
    return {name: parameter for name, parameter in signature.parameters.items() if parameter.kind in _NAMED}


def check_arguments(model_class: Callable[..., Any], arguments: Mapping[str, Any], where: str) -> None:
    """Raise PresetError unless a model class takes these arguments: known names, none missing, within its limits.

    A class says what it takes with `argument_limits = {"filters": (1, 4096)}`, which holds for numbers and lists of
    numbers, and with a class method `check_arguments(arguments)` that raises ValueError; both are optional.
    """
    known = parameters(model_class)
    for name in arguments:
        if name not in known:
            shown = clean(name)[:100]
            raise PresetError(f"{where}: {_name(model_class)} has no argument '{shown}'{suggest(shown, known)}")
    needed = [name for name, parameter in known.items() if parameter.default is parameter.empty]
    if missing := [name for name in needed if name not in arguments]:
        raise PresetError(f"{where}: {_name(model_class)} needs the argument '{missing[0]}'")
    for name, (least, most) in getattr(model_class, "argument_limits", {}).items():
        for number in _numbers(arguments.get(name)):
            if not least <= number <= most:
                raise PresetError(f"{where}: {name}: expected {least} to {most}, found {number}")
    with _refusals(model_class, where):
        getattr(model_class, "check_arguments", lambda _: None)(dict(arguments))


def construct(model_class: Callable[..., Any], arguments: Mapping[str, Any], check: Check, where: str) -> keras.Model:
    """A new model with all its variables, checked by `check`, which gets them by structural name and raises ZooError.

    While the model is constructed, and checked, variables have shapes but no values yet (Keras' stateless scope): one
    with 10**9 filters is refused before any memory is taken. A model that creates variables only when it is called
    offers `build_for_loading()`. Variables have to come from `add_weight` or have a callable initializer.
    """
    import keras

    from zoo_core.tensors import tensor_variables

    with _uninitialised():
        scope = keras.StatelessScope(initialize_variables=False)
        with scope, _refusals(model_class, where):
            model = model_class(**arguments)
            getattr(model, "build_for_loading", lambda: None)()
        check(tensor_variables(model))
    for variable in model.variables:
        # What a constructor assigned is held by the scope.
        if (value := scope.get_current_value(variable)) is not None:
            variable.assign(value)
    return model


@contextlib.contextmanager
def _uninitialised() -> Iterator[None]:
    """Give the variables created inside their values at the end; if the block raises, forget them."""
    import keras
    from keras.src.backend.common import global_state

    try:
        yield
        with keras.StatelessScope():
            pass  # Keras initialises what is waiting for its value when a scope ends.
    except BaseException:
        # Else the next scope's end, in whatever Keras does next, would take the memory that was just refused.
        global_state.set_global_attribute("uninitialized_variables", [])
        raise


@contextlib.contextmanager
def _refusals(model_class: Callable[..., Any], where: str) -> Iterator[None]:
    """Turn whatever a constructor raises into a PresetError."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        reason = clean(str(error))[:300] or type(error).__name__
        raise PresetError(f"{where}: {_name(model_class)} cannot be built from these arguments: {reason}") from error


def _numbers(value: object) -> Iterable[float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item)


def _name(model_class: Callable[..., Any]) -> str:
    return getattr(model_class, "__name__", "the model")
