"""The check of Keras' own files: saved as `.keras` and loaded again, it is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo_core.conformance import scrambled
from zoo_core.conformance.arrays import require_equal
from zoo_core.conformance.plain import differing, plain
from zoo_core.conformance.results import CheckFailed
from zoo_core.conformance.specimens import Specimen
from zoo_core.conformance.subjects import Item, Subject
from zoo_core.host import explain
from zoo_core.text import listed


def check_saving(subject: Subject, item: Item) -> None:
    """Its weights come back bit by bit, whatever they are, and with its own ones it computes the same."""
    specimen = subject.specimen(item)
    instance = specimen.require_instance()
    expected = specimen.outputs
    model = specimen.in_model(instance)
    held = specimen.from_model(model)
    with scrambled.weights(specimen.weights(held)) as values:
        same = _saved_and_loaded(specimen, model)
        require_equal(
            [scrambled.value(weight) for weight in specimen.weights(same)],
            values,
            "its weights, saved and loaded,",
            0.0,
        )
    scrambled.copy(specimen.weights(held), specimen.weights(same))
    if item.kind == "optimizers":
        _require_config(held, same)
        return
    require_equal(specimen.run(same), expected, "its outputs, before saving and after loading,")


def _saved_and_loaded(specimen: Specimen, model: Any) -> Any:
    import keras

    path = Path("model.keras")
    try:
        model.save(path)
        return specimen.from_model(keras.saving.load_model(path))
    except Exception as error:
        raise CheckFailed(f"as .keras: {explain(error)}") from error


def _require_config(held: Any, same: Any) -> None:
    configs = (plain(each.get_config(), "get_config()") for each in (held, same))
    if changed := differing(*configs):
        raise CheckFailed(f"loaded from .keras it has another {listed(changed)}")
