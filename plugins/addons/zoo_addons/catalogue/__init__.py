"""Where everything public lives. Nothing heavy is imported."""

from __future__ import annotations

from zoo_addons.catalogue.callbacks import CALLBACKS
from zoo_addons.catalogue.layers import LAYERS
from zoo_addons.catalogue.losses import LOSSES
from zoo_addons.catalogue.optimizers import OPTIMIZERS
from zoo_addons.catalogue.others import OTHERS

COMPONENTS = {"losses": LOSSES, "layers": LAYERS, "optimizers": OPTIMIZERS, "callbacks": CALLBACKS}

HOMES: dict[str, str] = {
    **OTHERS,
    **{name: module for table in COMPONENTS.values() for name, (module, _example) in table.items()},
}
"""Public name -> its module within zoo_addons."""
