"""PyTorch: gradient norms, recording in training loops, subsets of data sets."""

from datadiet.torch.errors import BatchError, FrozenParametersWarning, LossError, ModelError
from datadiet.torch.gradient_norms import grand

__all__ = ["BatchError", "FrozenParametersWarning", "LossError", "ModelError", "grand"]
