"""Samples of what a model does, written to a folder while it trains."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo_addons.callbacks.png import encode_png


class SampleWriter(keras.callbacks.Callback):
    """Call a function of the model every few epochs and write what it returns, so that one can watch a model learn.

        def lines(model):
            return "\\n".join(generate(model, seed) for seed in range(10))

        model.fit(x, y, callbacks=[SampleWriter(lines, "samples"), SampleWriter(grid_of_faces, "samples", every=5)])

    After epoch 3 these are `samples/lines-0003.txt` and so on; epochs in the names count from 1. What is written:

        text                                             .txt, in UTF-8
        a uint8 array (height, width[, channels])        .png, grey, RGB or RGBA
        a float array of that shape, values in [0, 1]    .png, rounded to 256 levels
        bytes                                            as they are, with `suffix`
        a dictionary of these                            one file each, its name before the number
        None                                             nothing

    A file appears whole or not at all. Training goes on whatever happens: an exception in the function or while
    writing is reported on stderr, and kept in `errors`.

    Args:
        function: takes the model (and the epoch, counted from 1, if it has two parameters) and returns the sample.
        folder: where to write; made if missing.
        every: epochs between two samples.
        name: what the files' names begin with; by default the function's name.
        suffix: the ending of files of bytes.

    Raises:
        ValueError: `every` is below 1, or the name has a `/` in it.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        folder: str | os.PathLike[str],
        every: int = 1,
        name: str | None = None,
        suffix: str = ".bin",
    ) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"SampleWriter(every={every}): it should be 1 or more")
        self.name = name or _name_of(function)
        if Path(self.name).name != self.name:
            raise ValueError(f"SampleWriter(name={self.name!r}): it should be the beginning of a file's name")
        self.function = function
        self.folder = Path(folder)
        self.every = every
        self.suffix = suffix
        self.errors: list[str] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the sample, if it is its turn."""
        if (epoch + 1) % self.every:
            return
        try:
            sample = self.function(self.model, epoch + 1) if _takes_epoch(self.function) else self.function(self.model)
            self._write(sample, epoch + 1)
        except Exception as error:
            # Hours of training are worth more than a sample.
            self.errors.append(f"epoch {epoch + 1}: {type(error).__name__}: {error}")
            print(f"SampleWriter: no {self.name} of {self.errors[-1]}", file=sys.stderr)

    def get_state(self) -> dict[str, Any]:
        """What went wrong so far, as plain JSON."""
        return {"errors": self.errors}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over the state of an interrupted run."""
        self.errors = list(state["errors"])

    def _write(self, sample: Any, epoch: int) -> None:
        from zoo_core.files import replacing

        named = sample if isinstance(sample, Mapping) else {self.name: sample}
        contents = {name: encode(value, self.suffix) for name, value in named.items() if value is not None}
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, (content, suffix) in contents.items():
            if Path(name).name != name:
                raise ValueError(f"{name!r} is no name of a file")
            with replacing(self.folder / f"{name}-{epoch:04d}{suffix}") as file:
                file.write(content)


def encode(sample: Any, suffix: str) -> tuple[bytes, str]:
    """A file's content and ending for a text, a picture or bytes; raises ValueError for anything else."""
    if isinstance(sample, str):
        return sample.encode(), ".txt"
    if isinstance(sample, (bytes, bytearray, memoryview)):
        return bytes(sample), suffix
    array = np.asarray(keras.ops.convert_to_numpy(sample) if keras.ops.is_tensor(sample) else sample)
    if array.dtype.kind == "f":
        array = np.round(np.clip(np.nan_to_num(array), 0, 1) * 255).astype(np.uint8)
    return encode_png(array), ".png"


def _takes_epoch(function: Callable[..., Any]) -> bool:
    import inspect

    parameters = inspect.signature(function).parameters.values()
    required = [
        p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return len(required) > 1


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "sample" if name == "<lambda>" else name
