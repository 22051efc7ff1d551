"""What may be wrong with an installation: each check says what it found and, if that is not right, what mends it."""

from zoo_core.doctor.diagnosis import diagnose
from zoo_core.doctor.finding import Finding

__all__ = ["Finding", "diagnose"]
