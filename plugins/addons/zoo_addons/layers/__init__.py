"""The layers: one concept a module."""
