"""The names of what can be chosen, apart from the code that needs Keras."""

from __future__ import annotations

ALGORITHMS = ("skip-gram", "cbow")
OBJECTIVES = ("negative-sampling", "sampled-softmax")
