"""Where everything public lives, and how each component is tried. Nothing heavy is imported."""

from __future__ import annotations

LOSSES: dict[str, tuple[str, object]] = {
    "AMSoftmaxLoss": ("losses.margin_softmax", "zoo_metric_learning.examples.losses:cosines"),
    "ArcFaceLoss": ("losses.margin_softmax", "zoo_metric_learning.examples.losses:cosines"),
    "ContrastiveLoss": ("losses.contrastive", "zoo_metric_learning.examples.losses:embeddings"),
    "InfoNCELoss": ("losses.info_nce", "zoo_metric_learning.examples.losses:views"),
    "MultiSimilarityLoss": ("losses.multi_similarity", "zoo_metric_learning.examples.losses:mined"),
    "NPairsLoss": ("losses.n_pairs", "zoo_metric_learning.examples.losses:embeddings"),
    "NTXentLoss": ("losses.nt_xent", "zoo_metric_learning.examples.losses:embeddings"),
    "SimplerASoftmaxLoss": ("losses.margin_softmax", "zoo_metric_learning.examples.losses:cosines"),
    "SupConLoss": ("losses.sup_con", "zoo_metric_learning.examples.losses:embeddings"),
    "TripletLoss": ("losses.triplet", "zoo_metric_learning.examples.losses:triplet"),
}
"""Name -> its module within zoo_metric_learning, and how `zoo check` tries it: an Example, or what makes one."""

LAYERS: dict[str, tuple[str, object]] = {
    "AMSoftmax": ("layers.margin_softmax", "zoo_metric_learning.examples.layers:margin_softmax"),
    "AddLoss": ("layers.add_loss", "zoo_metric_learning.examples.layers:add_loss"),
    "ArcFace": ("layers.margin_softmax", "zoo_metric_learning.examples.layers:margin_softmax"),
    "CenterLoss": ("layers.center_loss", "zoo_metric_learning.examples.layers:center_loss"),
    "CosineClassifier": ("layers.cosine_classifier", {"classes": 3}),
    "CrossBatchMemory": ("layers.cross_batch_memory", "zoo_metric_learning.examples.layers:cross_batch_memory"),
    "SimplerASoftmax": ("layers.margin_softmax", "zoo_metric_learning.examples.layers:margin_softmax"),
}
"""The same for what holds state: centers, proxies, a memory."""

OTHERS: dict[str, str] = {
    "BatchHardMiner": "miners.batch_hard",
    "CenterClassifier": "models.center_classifier",
    "FaqRanker": "models.faq_ranker",
    "InBatchSoftmax": "models.objectives",
    "MeanAveragePrecisionAtR": "metrics.in_batch",
    "MeanReciprocalRank": "metrics.in_batch",
    "MetricLearner": "learner",
    "MultiSimilarityMiner": "miners.multi_similarity",
    "PairMarginMiner": "miners.pair_margin",
    "RPrecision": "metrics.in_batch",
    "RandomNegativeTriplet": "models.objectives",
    "RecallAtK": "metrics.in_batch",
    "Retrieval": "metrics.retrieval",
    "SemiHardMiner": "miners.triplet_margin",
    "TripletMarginMiner": "miners.triplet_margin",
    "Vocabulary": "models.vocabulary",
    "build_vocabulary": "models.vocabulary",
    "map_at_r": "metrics.retrieval",
    "mean_reciprocal_rank": "metrics.retrieval",
    "r_precision": "metrics.retrieval",
    "recall_at_k": "metrics.retrieval",
    "retrieval": "metrics.retrieval",
}
"""What no registry knows: miners, metrics, models, functions. Public name -> its module."""

COMPONENTS = {"losses": LOSSES, "layers": LAYERS}

HOMES: dict[str, str] = {
    **OTHERS,
    **{name: module for table in COMPONENTS.values() for name, (module, _example) in table.items()},
}
"""Public name -> its module within zoo_metric_learning."""
