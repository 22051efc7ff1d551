"""The check that a component or model works with `jit_compile=True`."""

from __future__ import annotations

from zoo_core.conformance import compiled
from zoo_core.conformance.arrays import require_equal, require_finite, require_same_shapes
from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.conformance.subjects import Item, Subject
from zoo_core.host import explain

_TOLERANCE = 1e-3


def check_jit(subject: Subject, item: Item) -> None:
    """XLA compiles it; it computes what it computes eagerly, but for random numbers, and its gradients are finite."""
    specimen = subject.specimen(item)
    instance = specimen.require_instance()
    compiled.require_compiler()
    expected = specimen.outputs
    try:
        outputs, gradients = specimen.run_compiled(instance)
    except (CheckFailed, Undecided):
        raise
    except Exception as error:
        raise CheckFailed(f"it does not compile: {explain(error)}") from error
    require_finite(gradients, "its gradients, compiled")
    if specimen.is_random(instance):
        # A compiled program may draw other numbers from the same seed.
        require_same_shapes(outputs, expected, "its compiled and its eager outputs")
        require_finite(outputs, "its outputs, compiled")
    else:
        require_equal(outputs, expected, "its compiled and its eager outputs", _TOLERANCE)
