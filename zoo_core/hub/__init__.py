"""Presets on the Hugging Face Hub and its mirrors: fetched at one pinned revision, and checked by our own hashes.

The Hub's own client says what lies where, and is imported only where something is fetched. `HF_HUB_OFFLINE`, `HF_HOME`,
`HF_HUB_CACHE`, `HF_ENDPOINT` and `HF_TOKEN` mean what they mean everywhere, but that no stranger is sent a token.
"""

from zoo_core.hub.fetching import fetch, fetch_verified
from zoo_core.hub.places import (
    cache_folder,
    endpoint,
    hub_folder,
    is_offline,
    repository_folder,
    snapshot_folder,
    store,
    store_folder,
)
from zoo_core.hub.progress import Progress, Report
from zoo_core.hub.published import newest_revision, published

__all__ = [
    "Progress",
    "Report",
    "cache_folder",
    "endpoint",
    "fetch",
    "fetch_verified",
    "hub_folder",
    "is_offline",
    "newest_revision",
    "published",
    "repository_folder",
    "snapshot_folder",
    "store",
    "store_folder",
]
