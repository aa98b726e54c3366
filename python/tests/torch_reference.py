"""Gradient norms as torch.func.vmap(grad) gives them, in 64-bit floats: the tests' reference."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F


def reference(
    model: nn.Module, inputs: Any, labels: Any, loss: Any = F.cross_entropy
) -> np.ndarray:
    """Norm of each example's gradient over the parameters that train.

    `inputs` is one tensor with an example a row; `loss` takes one example with its batch axis.
    """
    model = deepcopy(model).double().eval()
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    values = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}

    def one(values: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return loss(functional_call(model, values, (x[None],)), y[None]).sum()

    gradients = vmap(grad(one), (None, 0, 0))(values, inputs, labels)
    return sum(g.flatten(1).square().sum(1) for g in gradients.values()).sqrt().numpy()


def by_loop(model: nn.Module, inputs: Any, labels: Any, loss: Any = F.cross_entropy) -> np.ndarray:
    """The same with a backward pass an example, for models that vmap cannot run."""
    model = deepcopy(model).double().eval()
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    parameters = [p for p in model.parameters() if p.requires_grad]
    norms = []
    for x, y in zip(inputs, labels, strict=True):
        gradients = torch.autograd.grad(
            loss(model(x[None]), y[None]).sum(), parameters, allow_unused=True
        )
        norms.append(sum(g.square().sum() for g in gradients if g is not None).sqrt().item())
    return np.array(norms)
