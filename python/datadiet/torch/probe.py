"""Trial passes over copies of one example: where each layer's examples lie, and which is last.

Where rows hold several examples, over copies of a row.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from datadiet.torch.batches import Batch, Forward, Loss, losses_of
from datadiet.torch.errors import ModelError
from datadiet.torch.layout import Layout, layout_of
from datadiet.torch.plan import Layer, Plan
from datadiet.torch.tape import Call, Hooks

COPIED = Layout(0, copied=True)
# What a model may raise for copies that do not fit it.
ATTEMPT = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)
# Copies of a loose parameter have fewer axes of length one than this after the first.
MOST_ONES = 4
MOST_ALONE = 64
"""So many examples are looked at one by one, where a layer's rows may depend on the example."""


class Probe(Hooks):
    """Notes the shapes of inputs, and parameters that are used outside their layers."""

    def __init__(self, plan: Plan, copied: set[Call], examples: int) -> None:
        super().__init__(plan)
        self.copied, self.examples = copied, examples
        self.shapes: dict[Call, tuple[int, ...]] = {}
        self.outside: list[nn.Parameter] = []

    def called(self, layer: Layer, number: int, x: Tensor, out: Tensor) -> Tensor:
        call = (layer.module, number)
        self.shapes[call] = tuple(x.shape)
        return COPIED.copies(out, self.examples) if call in self.copied else out

    def copy(self, parameter: nn.Parameter) -> Tensor:
        return self.plan.copies(parameter, self.examples)

    def escaped(self, parameter: nn.Parameter) -> None:
        self.outside.append(parameter)


def layouts_of(
    model: nn.Module, plan: Plan, batch: Batch, loss: Loss, forward: Forward
) -> dict[Call, Layout]:
    """Where the examples of each call lie. Layers for which that cannot be said leave the plan."""

    def run(copied: set[Call], examples: int, row: int = 0) -> tuple[Probe, Tensor]:
        with Probe(plan, copied, examples) as probe:
            losses = losses_of(model, batch.take_rows([row] * examples), loss, forward)
        return probe, losses.detach()

    copied: set[Call] = set()
    while True:
        (two, losses), (three, _) = run(copied, 2), run(copied, 3)
        if two.outside:
            for parameter in two.outside:
                plan.refuse(
                    parameter,
                    "it is used outside its layer, or its layer's forward pass is bypassed",
                )
            continue
        found, refused = _compare(plan, two, three)
        if refused or (two.data_dependent and _differ(plan, run, copied, two, batch.rows)):
            continue
        new = [call for call, layout in found.items() if layout.copied and call not in copied]
        if not new:
            if batch.packing is None:
                _copy_loose(plan, run, copied, losses)
            return found
        if _copies_fit(run, copied | {new[0]}, losses):
            copied.add(new[0])
        else:
            _refuse(
                plan,
                new[0],
                "its output is shared by all examples, and copies of it do not fit the model",
            )


def _compare(plan: Plan, two: Probe, three: Probe) -> tuple[dict[Call, Layout], bool]:
    found: dict[Call, Layout] = {}
    refused = False
    for call, shape in two.shapes.items():
        layer = plan.layers.get(call[0])
        if layer is None:
            continue
        layout = layout_of(shape, three.shapes.get(call, ()), layer.rule.leading)
        if layout is None:
            _refuse(plan, call, f"the examples lie on no single axis of its input {shape}")
            refused = True
        else:
            found[call] = layout
    return found, refused


def _differ(plan: Plan, run: Any, copied: set[Call], first: Probe, examples: int) -> bool:
    """Refuses layers that get other rows of other examples, as experts do. Whether there were some.

    As many rows as there are examples would look like a row for each.
    """
    others = {row * examples // MOST_ALONE for row in range(1, MOST_ALONE)} - {0}
    for row in sorted(others):
        shapes = run(copied, 2, row)[0].shapes
        unlike = [
            call
            for call in {**first.shapes, **shapes}
            if first.shapes.get(call) != shapes.get(call) and call[0] in plan.layers
        ]
        for call in unlike:
            if call[0] in plan.layers:
                _refuse(plan, call, "which of its rows an example uses depends on the example")
        if unlike:
            return True
    return False


def _copies_fit(run: Any, copied: set[Call], expected: Tensor, examples: int = 2) -> bool:
    """Whether the model gives the same losses when each example has its own copy."""
    try:
        probe, losses = run(copied, examples)
    except ATTEMPT:
        return False
    same = torch.allclose(losses.double(), expected.double(), rtol=1e-2, atol=1e-3)
    return same and not probe.outside


def _copy_loose(plan: Plan, run: Any, copied: set[Call], losses: Tensor) -> None:
    """Gives each example its own copy of loose parameters, of those for which some copy fits the model."""
    for parameter in list(plan.loose):
        if parameter not in plan.without or (parameter.dim() > 2 and len(parameter) > 1):
            continue
        reason = plan.without.pop(parameter)
        for ones in (-1,) if parameter.dim() > 1 and len(parameter) == 1 else range(1, MOST_ONES):
            plan.bare[parameter] = ones
            # Two copies would fit another axis of length two.
            three = losses[:1].expand(3)
            if _copies_fit(run, copied, losses) and _copies_fit(run, copied, three, 3):
                break
        else:
            del plan.bare[parameter]
            plan.without[parameter] = reason


def _refuse(plan: Plan, call: Call, reason: str) -> None:
    for parameter in plan.layers[call[0]].owned.values():
        plan.refuse(parameter, reason)


def last_layer_of(model: nn.Module, batch: Batch, forward: Forward) -> nn.Module:
    """The linear layer that is called last."""
    called: list[nn.Module] = []
    note = lambda module, *_: called.append(module)  # noqa: E731
    handles = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, nn.Linear)]
    try:
        with torch.no_grad():
            forward(model, batch.take([0, 0]).inputs)
    finally:
        for handle in handles:
            handle.remove()
    if not called:
        raise ModelError("the model calls no nn.Linear: name its last layer with last_layer=")
    return called[-1]
