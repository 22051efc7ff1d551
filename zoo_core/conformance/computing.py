"""Checks that a component or model can be made and computes, in full and in mixed precision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from zoo_core.conformance.arrays import dtype, require_finite
from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.conformance.specimens import Specimen, policy
from zoo_core.conformance.subjects import Item, Subject
from zoo_core.host import explain

if TYPE_CHECKING:
    from zoo_core.conformance.arrays import Arrays

MIXED = ("mixed_bfloat16", "mixed_float16")


def check_builds(subject: Subject, item: Item) -> None:
    """It is made and used once: a layer or model is called, a loss too; an optimizer and a callback train."""
    subject.specimen(item).build()


def check_float32(subject: Subject, item: Item) -> None:
    """All that it computes is finite, and its weights are float32 where they are real."""
    specimen = subject.specimen(item)
    instance = specimen.require_instance()
    _require_real(specimen.weights(instance), "float32", "in float32")
    _require_sound(specimen, specimen.outputs, "in float32")


def check_mixed_precision(subject: Subject, item: Item) -> None:
    """The same under Keras' mixed policies, where the weights stay float32."""
    specimen = subject.specimen(item)
    specimen.require_instance()
    _ = specimen.outputs
    for name in MIXED:
        with policy(name):
            try:
                instance = specimen.make()
                outputs = specimen.run(instance)
            except (CheckFailed, Undecided):
                raise
            except Exception as error:
                raise CheckFailed(f"under {name}: {explain(error)}") from error
            _require_real(specimen.weights(instance), "float32", f"under {name}")
            _require_sound(specimen, outputs, f"under {name}")


def _require_sound(specimen: Specimen, outputs: Arrays, where: str) -> None:
    require_finite(outputs, f"its outputs {where}")
    if specimen.item.kind == "losses" and any(array.dtype.kind != "f" for array in outputs):
        raise CheckFailed(f"the loss {where} is no real number")


def _require_real(weights: Iterable[Any], expected: str, where: str) -> None:
    for weight in weights:
        found = dtype(weight)
        if "float" in found and found != expected:
            raise CheckFailed(f"{where} its weight '{weight.name}' is {found}: leave add_weight's dtype out")
