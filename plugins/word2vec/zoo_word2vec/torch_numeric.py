"""Some functions of `keras.ops`, by their names and arguments there, for tensors of PyTorch alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import ones_like, sigmoid, where
from torch.nn.functional import softplus

Tensor = Any

__all__ = [
    "any",
    "cast",
    "concatenate",
    "cumsum",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "ones_like",
    "reshape",
    "sigmoid",
    "softmax",
    "softplus",
    "sum",
    "swapaxes",
    "where",
]

matmul, reshape, swapaxes = torch.matmul, torch.reshape, torch.swapaxes


def any(x: Tensor, axis: int | tuple[int, ...]) -> Tensor:
    """Whether any is true."""
    return torch.any(x, dim=axis)


def cast(x: Tensor, dtype: str) -> Tensor:
    """With another dtype."""
    return x.to(getattr(torch, dtype))


def concatenate(xs: Sequence[Tensor], axis: int = 0) -> Tensor:
    """One after the other."""
    return torch.cat(list(xs), dim=axis)


def cumsum(x: Tensor, axis: int) -> Tensor:
    """The sum of each and all before it."""
    return torch.cumsum(x, dim=axis)


def logsumexp(x: Tensor, axis: int, keepdims: bool = False) -> Tensor:
    """The logarithm of the sum of exponentials."""
    return torch.logsumexp(x, dim=axis, keepdim=keepdims)


def max(x: Tensor, axis: int | None = None) -> Tensor:
    """The largest."""
    return torch.amax(x) if axis is None else torch.amax(x, dim=axis)


def maximum(x: Tensor, least: float) -> Tensor:
    """No less than a number."""
    return x.clamp_min(least)


def softmax(x: Tensor, axis: int) -> Tensor:
    """Exponentials, divided by their sum."""
    return torch.softmax(x, dim=axis)


def sum(x: Tensor, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The sum."""
    return torch.sum(x) if axis is None else torch.sum(x, dim=axis, keepdim=keepdims)
