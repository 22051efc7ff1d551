"""A model that tags sequences by a CRF, with the one-line use of any model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo_addons.layers.crf import CRF, mean_loss


@keras.saving.register_keras_serializable(package="addons")
class CRFTagger(keras.Model):
    """A model's scores of the tags, and a CRF over them that is trained with the model.

        model = CRFTagger(scorer)              # scorer: any model, (batch, ...) -> (batch, time, tags), no softmax
        model.compile("adam", metrics=["accuracy"])
        model.fit(words, tags)                 # tags: whole numbers, (batch, time)
        model.predict_tags(words)              # whole numbers, (n, time)

    The loss is the CRF's negative log-likelihood, `-log p(tags | words)`, the mean over the sequences: `compile` takes
    no other. Metrics see the best sequence, one-hot, where they would see a softmax. Positions that the scorer masks,
    by `Embedding(mask_zero=True)` say, are left out of the loss, the metrics and the sequence: give those without a tag
    so, since elsewhere a tag that there is not counts, in compiled code, as the nearest one.

    Args:
        model: the scorer, as above.
        crf: the CRF; a new one with its defaults when None.

    Call arguments:
        inputs: whatever the scorer takes.

    Returns:
        A dictionary: `tags`, the best sequence, one-hot, `(batch, time, tags)`; `scores`, those of the scorer, of which
        `model.crf.marginals(scores, mask)` makes probabilities; `mask`, the positions that are there, `(batch, time)`.

    Raises:
        ValueError: for a loss in `compile`, and weights of anything but whole sequences in `sample_weight`.

    References:
        Lample et al., 2016. Neural architectures for named entity recognition. arXiv:1603.01360
    """

    def __init__(self, model: keras.Model, crf: CRF | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(model, keras.layers.Layer):
            raise ValueError(f"CRFTagger takes a model that scores the tags, got {type(model).__name__}")
        self.model = model
        self.crf = CRF(dtype=self.dtype_policy) if crf is None else crf
        self._positions = _Positions()

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """The best sequence, the scores and the mask."""
        scores = self.model(inputs, training=training)
        return {"tags": self.crf(scores), "scores": scores, "mask": self._positions(scores)}

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The mean negative log-likelihood of the tags, and whatever losses the layers added."""
        if getattr(self, "loss", None) is not None:
            raise ValueError("CRFTagger has the CRF's loss: compile it without one")
        if y is None:
            raise ValueError("CRFTagger is trained on tags: fit(x, tags)")
        if sample_weight is not None and len(sample_weight.shape) != 1:
            shape = tuple(sample_weight.shape)
            raise ValueError(
                f"CRFTagger takes one sample weight per sequence, got shape {shape}; mask positions instead"
            )
        scores = y_pred["scores"]
        loss = mean_loss(self.crf.log_likelihood(scores, y, y_pred["mask"]), sample_weight)
        return sum((ops.sum(ops.cast(added, loss.dtype)) for added in self.losses), loss)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Of the best sequence."""
        return super().compute_metrics(x, y, y_pred["tags"], sample_weight)

    def predict_tags(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The best sequences as whole numbers, `(n, time)`; 0 where masked. Takes what `predict` takes."""
        return np.argmax(self.predict(x, **kwargs)["tags"], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        parts = {"model": self.model, "crf": self.crf}
        return {
            **super().get_config(),
            **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> CRFTagger:
        """One of these arguments, with new weights."""
        held = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in ("model", "crf")
        }
        return cls(**{**config, **held})


class _Positions(keras.layers.Layer):
    """The mask of its input, `(batch, time)`; everything where there is none."""

    def __init__(self) -> None:
        super().__init__(name="positions", autocast=False)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The mask, as an output like others: where Keras keeps it differs between backends."""
        return ops.ones_like(inputs[:, :, 0], dtype="bool") if mask is None else ops.cast(mask, "bool")

    def compute_output_spec(self, inputs: Any, mask: Any = None) -> Any:
        """One boolean for each position."""
        return keras.KerasTensor(inputs.shape[:2], dtype="bool")
