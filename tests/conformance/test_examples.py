"""What an author declares beside a registration, in each of its forms, and what is tried where nothing is declared."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.project import Project
from tests.conftest import FakePlugins, by_name
from zoo_core import host, index
from zoo_core.conformance import Example, inputs
from zoo_core.conformance.results import CheckFailed
from zoo_core.conformance.specimens import example
from zoo_core.conformance.subjects import Item
from zoo_core.errors import PluginError
from zoo_core.host import Registration

HOOK = (
    "from zoo_core import hookimpl\n@hookimpl\ndef register_layers(register):\n    register('A', '{package}.parts:A', "
)
PLUGIN = "zoo_coral/plugin.py"


def declared(given: object) -> Example:
    return example(Item("layers", "tiny/A", Registration("layers", "A", "zoo_tiny.parts:A", example=given)))


def made() -> Example:
    return Example({"units": 3})


def test_arguments_an_example_and_a_function_that_makes_one_say_the_same() -> None:
    assert declared({"units": 3}) == declared(Example({"units": 3})) == declared(made) == Example({"units": 3})
    assert declared(f"{__name__}:made") == Example({"units": 3})
    assert declared(None) == Example()


def test_a_function_that_makes_something_else_is_refused() -> None:
    with pytest.raises(CheckFailed, match="its example is list, not an Example or a dictionary"):
        declared(lambda: [3])


@pytest.mark.parametrize("given", ["{'units': 3}", "'zoo_tiny.parts:made'", "None", "dict"])
def test_the_host_keeps_an_example_as_it_was_given(given: str, fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny", plugin=f"{HOOK}example={given})")
    registered = host.load(by_name(index.installed_plugins())["tiny"]).components["layers"]["A"]
    assert registered.example == eval(given)


@pytest.mark.parametrize("given", ["3", "[3]", "'no path'", "object()"])
def test_the_host_refuses_what_cannot_be_an_example(given: str, fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny", plugin=f"{HOOK}example={given})")
    with pytest.raises(PluginError, match="example"):
        host.load(by_name(index.installed_plugins())["tiny"])


def test_inputs_are_drawn_the_same_each_time_and_as_their_dtype_says() -> None:
    (first,), (again,) = (next(inputs.positional(Example(input_shape=(5, 3)))) for _ in range(2))
    assert (first.shape, first.dtype.name) == ((2, 5, 3), "float32")
    np.testing.assert_array_equal(first, again)
    assert inputs.draw((100,), "uint8").max() > 200
    assert set(np.unique(inputs.draw((100,), "int32"))) == set(range(10))


def test_a_tuple_of_inputs_is_several_arguments_and_a_list_is_one() -> None:
    assert next(inputs.positional(Example(inputs=(1, 2)))) == (1, 2)
    assert next(inputs.positional(Example(inputs=[1, 2]))) == ([1, 2],)
    shapes = [batch.shape[1:] for (batch,) in inputs.positional(Example())]
    assert shapes == list(inputs.USUAL_SHAPES)


@pytest.mark.backend
def test_without_inputs_a_layer_is_tried_on_images_too(coral: Project) -> None:
    coral.spoil(
        "zoo_coral/parts.py", "return ops.matmul(x, self", "x = ops.mean(x, (1, 2))\n        return ops.matmul(x, self"
    )
    coral.spoil("zoo_coral/parts.py", "    def build(self, input_shape):\n        self.kernel", "{build}")
    path = coral.package / "parts.py"
    path.write_text(path.read_text().replace("{build}", "    def build(self, input_shape):\n        self.kernel"))
    assert coral.check("builds", of="coral/Scale")["builds", "coral/Scale"].status == "passed"


@pytest.mark.backend
def test_of_a_base_class_only_the_text_is_looked_at(coral: Project) -> None:
    coral.spoil(PLUGIN, "Example(input_shape=(4,))", "Example(base_class=True)")
    results = coral.check(of="coral/Noise")
    assert {check for (check, _), result in results.items() if result.status == "passed"} == {"docstring"}
    assert {result.detail.partition(",")[0] for result in results.values()} == {"", "it is a base class"}


@pytest.mark.backend
def test_a_callback_may_bring_its_own_model(coral: Project) -> None:
    coral.spoil(PLUGIN, '"zoo_coral.parts:Tide"', '"zoo_coral.parts:Tide", example="zoo_coral.examples:tide"')
    examples = coral.package / "examples.py"
    body = "import keras\n    model = keras.Sequential([keras.layers.Dense(2)])\n    model.compile('sgd', loss='mae')"
    own = "return Example(model=lambda: model, inputs=(np.zeros((3, 5)), np.ones((3, 2))))"
    examples.write_text(f"{examples.read_text()}\n\ndef tide():\n    {body}\n    {own}\n")
    assert coral.check("float32", of="coral/Tide")["float32", "coral/Tide"].status == "passed"
    coral.spoil("zoo_coral/examples.py", "np.ones((3, 2))", "np.ones((3, 4))")
    assert coral.check("builds", of="coral/Tide")["builds", "coral/Tide"].status == "failed"
