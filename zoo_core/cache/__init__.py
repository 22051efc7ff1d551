"""The presets on the disk: what is there, whether it is still right, what is no longer needed.

What was downloaded lies in the cache of the Hub's own client, which other programs share, and in a folder of ours for
what came from plain mirrors. Only repositories that a plugin of the zoo names, and revisions that hold a preset of the
zoo, are looked at; only what the zoo once pinned and no longer needs is deleted.
"""

from zoo_core.cache.entries import Entry, entries, verify
from zoo_core.cache.pruning import Leftover, delete, leftovers, removable, remove, size_of

__all__ = ["Entry", "Leftover", "delete", "entries", "leftovers", "removable", "remove", "size_of", "verify"]
