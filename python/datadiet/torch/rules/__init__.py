"""Rules: what a layer's input and the gradient at its output say about its parameters' gradients.

In evaluation mode examples do not meet, so that one backward pass of the summed losses gives each
example's gradient ``d`` at the output of every layer. With its input ``a`` that is enough:

    linear           dW = sum_p d_p a_p^T       db = sum_p d_p          p: positions
    convolution      the same, with a_p the inputs that the filter sees at p
    normalisation    dweight = sum_p d_p x_p    dbias = sum_p d_p       x: the normalised input
    embedding        row t of dW = sum of d_p over the positions p that hold token t

A layer has a rule when its forward pass is its class's own: a subclass that overrides it, or a
layer whose weight is computed (weight norm, parametrisations), has none; but embeddings may
prepare tokens and change rows as they like. RMS norms of other libraries are known by what they compute,
`Conv1D` of transformers by its name.
"""

from __future__ import annotations

from torch import nn

from datadiet.torch.rules.convolution import Convolution
from datadiet.torch.rules.embedding import Embedding, EmbeddingWithin
from datadiet.torch.rules.linear import Linear, Turned
from datadiet.torch.rules.norms import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RmsNorm,
    RmsNormByTrial,
    computes_rms_norm,
)
from datadiet.torch.rules.rule import Rule

RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: Linear(),
    nn.Conv1d: Convolution(),
    nn.Conv2d: Convolution(),
    nn.Conv3d: Convolution(),
    nn.BatchNorm1d: BatchNorm(),
    nn.BatchNorm2d: BatchNorm(),
    nn.BatchNorm3d: BatchNorm(),
    nn.LayerNorm: LayerNorm(),
    nn.GroupNorm: GroupNorm(),
    nn.InstanceNorm1d: InstanceNorm(),
    nn.InstanceNorm2d: InstanceNorm(),
    nn.InstanceNorm3d: InstanceNorm(),
    nn.Embedding: Embedding(),
}

if hasattr(nn, "RMSNorm"):  # since PyTorch 2.4
    RULES[nn.RMSNorm] = RmsNorm()

ELSEWHERE: dict[tuple[str, str], Rule] = {
    ("transformers.pytorch_utils", "Conv1D"): Turned(),
}
"""By module and class, so that the libraries need not be there."""

__all__ = ["RULES", "Rule", "rule_of"]


def rule_of(module: nn.Module) -> tuple[Rule | None, str]:
    """The rule of a layer, or none and why."""
    known = [(kind, rule) for kind, rule in RULES.items() if isinstance(module, kind)]
    for kind in type(module).__mro__:
        if (rule := ELSEWHERE.get((kind.__module__, kind.__qualname__))) is not None:
            known.append((kind, rule))
    for kind, rule in known:
        if "forward" in vars(module) or type(module).forward is not kind.forward:
            if isinstance(module, nn.Embedding) and not rule.refusal(module):
                return EmbeddingWithin(), ""
            return None, f"its {type(module).__name__} has a forward pass of its own"
        refusal = rule.refusal(module)
        return (None, refusal) if refusal else (rule, "")
    if computes_rms_norm(module):
        return RmsNormByTrial(), ""
    return None, f"{type(module).__name__} has no rule"
