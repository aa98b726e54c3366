"""Which parameters the norm is over, and which of them have a rule."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

from torch import Tensor, nn

from datadiet.torch.errors import FrozenParametersWarning, ModelError
from datadiet.torch.rules import Rule, rule_of
from datadiet.torch.rules.embedding import EmbeddingWithin
from datadiet.torch.rules.rule import parameters

FALLBACKS = ("vmap", "loop")
"""Ways for parameters without a rule."""


@dataclass
class Layer:
    """A layer with a rule."""

    name: str
    module: nn.Module
    rule: Rule
    owned: dict[str, nn.Parameter]
    """Parameters that train, by their name in the layer."""

    @property
    def within(self) -> bool:
        """Whether its call is that of a function, in a forward pass of its own."""
        return isinstance(self.rule, EmbeddingWithin)


@dataclass
class Plan:
    """How each parameter's part of the norm is found."""

    names: dict[nn.Parameter, str]
    """All parameters that the norm is over, with their names in the model."""

    layers: dict[nn.Module, Layer]

    without: dict[nn.Parameter, str] = field(default_factory=dict)
    """Parameters without a rule, and why."""

    loose: list[nn.Parameter] = field(default_factory=list)
    """Those of them that a layer adds, multiplies or puts beside its input by code of its own, perhaps."""

    bare: dict[nn.Parameter, int] = field(default_factory=dict)
    """Loose parameters of which each example is given a copy, and how many axes of length one the copy
    has after the first, the examples'; -1 where the parameter's own first axis of length one is it."""

    def refuse(self, parameter: nn.Parameter, reason: str) -> None:
        """Takes a parameter from the layers: all of it, or its uses would be counted in part."""
        self.without.setdefault(parameter, reason)
        self.bare.pop(parameter, None)
        self.loose = [p for p in self.loose if p is not parameter]
        for layer in self.layers.values():
            layer.owned = {name: p for name, p in layer.owned.items() if p is not parameter}
        self.layers = {module: layer for module, layer in self.layers.items() if layer.owned}

    def copies(self, parameter: nn.Parameter, examples: int) -> Tensor:
        """A loose parameter, for each example."""
        ones, values = self.bare[parameter], parameter.detach()
        if ones < 0:
            return values.expand(examples, *values.shape[1:])
        return values.reshape(*[1] * (ones + 1), *values.shape).expand(
            examples, *[-1] * (ones + values.dim())
        )

    def ruled(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.names if parameter not in self.without]

    def check(self, fallback: str | None) -> None:
        """Refuses what has no rule, unless a fallback takes it."""
        if not self.without or fallback is not None:
            return
        names = [self.names[parameter] for parameter in self.without]
        listed = "\n".join(f"  {self.names[p]}: {reason}" for p, reason in self.without.items())
        raise ModelError(
            f"GraNd has no exact rule for {len(names)} of the model's {len(self.names)} parameters:\n"
            f'{listed}\npass fallback="vmap" to find their part with torch.func.vmap(grad), or'
            ' fallback="loop" with one backward pass an example',
            parameters=names,
        )


def plan_of(model: nn.Module, scope: nn.Module) -> Plan:
    """The plan for all parameters of `scope`, the model or a layer of it, that train."""
    within = set(scope.parameters())
    names = {p: name for name, p in model.named_parameters() if p in within and p.requires_grad}
    _tell_frozen(
        [name for name, p in model.named_parameters() if p in within and p not in names], len(names)
    )
    plan = Plan(names, {})
    reasons: dict[nn.Parameter, str] = {}
    loose: list[nn.Parameter] = []
    for prefix, module in model.named_modules():
        own = {name: p for name, p in module._parameters.items() if p is not None and p in names}
        if not own:
            continue
        rule, reason = rule_of(module)
        known = parameters(module, rule.names) if rule else []
        if rule and known:
            layer = {name: p for name, p in own.items() if name in known}
            plan.layers[module] = Layer(prefix, module, rule, layer)
        for name, parameter in own.items():
            if name in known:
                continue
            reasons.setdefault(parameter, reason or f"the layer computes its weight from {name}")
            if not rule and not type(module).__module__.startswith("torch."):
                loose.append(parameter)
    ruled = {p for layer in plan.layers.values() for p in layer.owned.values()}
    for parameter, reason in reasons.items():
        # A layer may hold a parameter only to be tied to another, as the bias of BERT's decoder; that it
        # does not use it is watched.
        if parameter not in ruled or reason.startswith("the layer computes"):
            plan.refuse(parameter, reason)
    plan.loose = [p for p in loose if p in plan.without]
    return plan


def _tell_frozen(frozen: list[str], training: int) -> None:
    if not training:
        raise ModelError("no parameter trains: set requires_grad of those that the norm is over")
    if frozen:
        shown = ", ".join(frozen[:8]) + (", …" if len(frozen) > 8 else "")
        warnings.warn(
            f"GraNd is over the {training} parameters that train; {len(frozen)} frozen ones are left out: {shown}",
            FrozenParametersWarning,
            stacklevel=5,
        )
