"""Normalisations: the gradient of the scale is a sum over positions of output gradient times
normalised input, the gradient of the shift the sum of the output gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from datadiet.torch.contributions import Contribution, Rows, wide
from datadiet.torch.rules.rule import by_example


class ChannelNorm:
    """Norms whose scale and shift are per channel, the second axis."""

    names: tuple[str, ...] = ("weight", "bias")
    leading = False

    def refusal(self, module: Any) -> str:
        return ""

    def normalised(self, module: Any, x: Tensor) -> Tensor:
        raise NotImplementedError

    def contributions(
        self, module: Any, x: Tensor, delta: Tensor, examples: int
    ) -> dict[str, Contribution]:
        delta = wide(delta)
        scaled = self.normalised(module, wide(x).to(delta.dtype)) * delta
        return {
            name: Rows(
                by_example(values.flatten(2).sum(2) if values.dim() > 2 else values, examples)
            )
            for name, values in (("weight", scaled), ("bias", delta))
        }


class BatchNorm(ChannelNorm):
    """With running statistics, which no example changes."""

    def refusal(self, module: Any) -> str:
        if module.running_mean is None:
            return "without running statistics its examples are normalised together"
        return ""

    def normalised(self, module: Any, x: Tensor) -> Tensor:
        shape = (1, -1) + (1,) * (x.dim() - 2)
        mean = module.running_mean.to(x.dtype).view(shape)
        variance = module.running_var.to(x.dtype).view(shape)
        return (x - mean).mul_((variance + module.eps).rsqrt())


class GroupNorm(ChannelNorm):
    def normalised(self, module: nn.GroupNorm, x: Tensor) -> Tensor:
        return F.group_norm(x, module.num_groups, eps=module.eps)


class InstanceNorm(ChannelNorm):
    def normalised(self, module: Any, x: Tensor) -> Tensor:
        own = not module.track_running_stats
        return F.instance_norm(
            x, module.running_mean, module.running_var, use_input_stats=own, eps=module.eps
        )


class LayerNorm:
    """Norms over the last axes, which scale and shift have too."""

    names: tuple[str, ...] = ("weight", "bias")
    leading = True

    def refusal(self, module: Any) -> str:
        return ""

    def normalised(self, module: Any, x: Tensor) -> Tensor:
        return F.layer_norm(x, module.normalized_shape, eps=module.eps)

    def contributions(
        self, module: Any, x: Tensor, delta: Tensor, examples: int
    ) -> dict[str, Contribution]:
        delta = wide(delta)
        scaled = self.normalised(module, wide(x).to(delta.dtype)) * delta
        size = module.weight.numel()
        return {
            name: Rows(values.reshape(examples, -1, size).sum(1))
            for name, values in (("weight", scaled), ("bias", delta))
        }


class RmsNorm(LayerNorm):
    names: tuple[str, ...] = ("weight",)

    def normalised(self, module: Any, x: Tensor) -> Tensor:
        return F.rms_norm(x, module.normalized_shape, eps=module.eps)


class RmsNormByTrial(LayerNorm):
    """RMS norms of other libraries' own classes, known by what they compute.

    Llama's, Qwen's, T5's and their kin: ``x / sqrt(mean(x^2) + eps)`` times a weight, or times one plus a
    weight as Gemma's. Names and code differ, so that a layer is asked: see `computes_rms_norm`.
    """

    names: tuple[str, ...] = ("weight",)

    def normalised(self, module: Any, x: Tensor) -> Tensor:
        return x * (x.square().mean(-1, keepdim=True) + (_eps(module) or 0.0)).rsqrt_()


# Of a trial in 32-bit floats; a layer that computes something else differs by far more.
CLOSE = 1e-4


def computes_rms_norm(module: nn.Module) -> bool:
    """Whether a layer gives on random numbers what an RMS norm of its weight gives."""
    own = {name: p for name, p in module._parameters.items() if p is not None}
    weight = own.get("weight")
    alone = not module._modules and not module._buffers and len(own) == 1
    if weight is None or not alone or weight.dim() != 1 or _eps(module) is None:
        return False
    draw = torch.Generator("cpu").manual_seed(0)
    size = len(weight)
    x = 3 * torch.randn(4, 2, size, generator=draw, device="cpu").to(weight.device)
    scale = 0.5 + torch.rand(size, generator=draw, device="cpu").to(weight.device)
    try:
        with torch.no_grad(), torch.autocast(weight.device.type, enabled=False):
            found = functional_call(module, {"weight": scale}, (x,))
            plain = RmsNormByTrial().normalised(module, x)
    except (
        Exception
    ):  # What a stranger's layer makes of one input is not known; it has no rule then.
        return False
    if not isinstance(found, Tensor) or found.shape != x.shape:
        return False
    return any(torch.allclose(found, plain * w, CLOSE, CLOSE) for w in (scale, 1 + scale))


def _eps(module: Any) -> float | None:
    for name in ("variance_epsilon", "eps", "epsilon"):
        eps = getattr(module, name, None)
        if isinstance(eps, (int, float)):
            return float(eps)
    return None
