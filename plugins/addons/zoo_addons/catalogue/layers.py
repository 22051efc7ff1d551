"""The layers of this plugin: where each lives, and how it is tried."""

from __future__ import annotations

LAYERS: dict[str, tuple[str, object]] = {
    "CRF": ("layers.crf", "zoo_addons.examples.layers:crf"),
    "CRFTagger": ("layers.crf_tagger", "zoo_addons.examples.layers:crf_tagger"),
    "GatedConv1D": ("layers.gated_convolution", {"form": "highway", "dilation_rate": 2, "padding": "causal"}),
    "GatedConv2D": ("layers.gated_convolution", {"filters": 3, "residual": False}),
    "GradientScale": ("layers.gradient_scale", {"scale": -0.5}),
    "LearningRateMultiplier": (
        "layers.learning_rate_multiplier",
        "zoo_addons.examples.layers:learning_rate_multiplier",
    ),
    "MaskedMaxPooling1D": ("layers.pooling", None),
    "MaskedMeanPooling1D": ("layers.pooling", None),
    "MaskedSoftmaxPooling1D": ("layers.pooling", {"units": 3}),
    "Maxout": ("layers.maxout", {"units": 3}),
    "ReparameterizedGaussian": (
        "layers.reparameterized_gaussian",
        "zoo_addons.examples.layers:reparameterized_gaussian",
    ),
    "Split": ("layers.split", {"parts": [3, -1]}),
    "StochasticDepth": ("layers.stochastic_depth", {"rate": 0.25, "scaling": "inference"}),
    "TiedEmbeddingSoftmax": ("layers.tied_embedding", "zoo_addons.examples.layers:tied_embedding_softmax"),
    "TrainOnlyNoise": ("layers.noise", {"stddev": 2.0, "distribution": "uniform"}),
    "WeightedLosses": ("losses.weighted", "zoo_addons.examples.losses:weighted"),
    "WeightNormalization": ("layers.weight_normalization", "zoo_addons.examples.layers:weight_normalization"),
}
"""Name -> its module within zoo_addons, and how `zoo check` tries it: an Example, or what makes one."""
