"""The card that is made of a stranger's run record: refused by one error, or metadata that says only what it may."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import given

from tests.properties import bases, hostile
from tests.properties.profiles import examples
from tests.properties.watch import attempt
from zoo_core import publication
from zoo_core.card import About
from zoo_core.errors import PresetError
from zoo_core.files import parse_json

KEYS = {
    *("base_model", "datasets", "library_name", "license", "license_link", "license_name", "model-index", "model_name"),
    *("pipeline_tag", "tags"),
}


def _card(record):
    return publication._card(record, About(repo="some-one/glow"), Path("here"))


@examples(deep=20_000)
@given(hostile.mutated((bases.RUN,)))
def test_the_card_of_a_run_record_with_anything_in_any_place(table):
    try:
        record = parse_json(bases.as_json(table))
    except ValueError:
        return
    if not isinstance(record.get("model"), str) or "/" not in record["model"]:
        return  # refused before a card is made
    card = attempt(PresetError, _card, record)
    if card is not None:
        front, _, text = card.removeprefix("---\n").partition("\n---\n")
        assert set(yaml.safe_load(front)) <= KEYS
        assert text
        assert all(line.isprintable() for line in card.split("\n"))
