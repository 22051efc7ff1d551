"""All checks in the order in which they are shown; what takes long is begun first, so that they take no longer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from zoo_core import hub
from zoo_core.doctor import conflicts, installation, plugins, requirements, settings, weights
from zoo_core.doctor.computing import Computing
from zoo_core.doctor.finding import OK, Finding
from zoo_core.doctor.reachability import Reachability


def diagnose(refresh: bool = False, network: bool = True) -> Iterator[Finding]:
    """All findings, as they come.

    With `refresh`, what was tried before is tried again: plugins, and whether the backend computes. Without `network`,
    or with $HF_HUB_OFFLINE, nobody is asked for an answer.
    """
    asked = Reachability() if network and not hub.is_offline() else None
    with Computing(refresh) as tried:
        sections: Mapping[str, Iterable[Finding]] = {
            "installation": installation.findings(tried),
            "settings": settings.findings(),
            "plugins": plugins.findings(refresh),
            "conflicts": chain(conflicts.findings(), requirements.findings()),
            "weights": weights.findings(),
            "network": asked.findings() if asked else [_unasked(network)],
        }
        for section, findings in sections.items():
            for finding in findings:
                yield replace(finding, section=section)


def _unasked(network: bool) -> Finding:
    return Finding("network", OK, "HF_HUB_OFFLINE is set: nothing was tried" if network else "not tried")
