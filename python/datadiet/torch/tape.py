"""The passes: hooks note each layer's input, and the gradients that come back meet it there.

A layer's output goes through `Tap`, an identity whose backward pass hands its gradient to the
layer's rule. All taps hang on one anchor, so that a backward pass to the anchor runs through every
one of them and computes no parameter's gradient: what the user has in `.grad` is not touched.

A parameter used by other means than its layer (``F.linear(h, embedding.weight)``) would escape the
hooks; every function of PyTorch that is called during the forward pass is watched for that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from datadiet.torch.contributions import Contribution, squares
from datadiet.torch.errors import LayerUseError, ModelError
from datadiet.torch.layout import Layout, NotForExamples
from datadiet.torch.plan import Layer, Plan

if TYPE_CHECKING:
    from typing_extensions import Self

Call = tuple[nn.Module, int]
"""A layer and the number of its call in a forward pass, from 0."""

# What these give decides how many rows of a tensor go where, or which layers are called at all.
DATA_DEPENDENT = {
    torch.nonzero,
    torch.argwhere,
    torch.masked_select,
    torch.unique,
    Tensor.nonzero,
    Tensor.argwhere,
    Tensor.masked_select,
    Tensor.unique,
    Tensor.tolist,
    Tensor.item,
    Tensor.__bool__,
    Tensor.__int__,
    Tensor.__index__,
}

# These take a parameter's shape or dtype, not its values.
HARMLESS = {Tensor.type_as, Tensor.expand_as, Tensor.view_as, Tensor.reshape_as}


class Tap(torch.autograd.Function):
    """An identity that hands on the gradient."""

    @staticmethod
    def forward(ctx: Any, out: Tensor, anchor: Tensor, receive: Callable[[Tensor], None]) -> Tensor:
        ctx.receive = receive
        # Not a view, so that a layer that works in place may follow.
        return out.detach()

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor, None, None]:
        ctx.receive(delta)
        ctx.receive = None
        return delta, None, None


class Hooks(TorchFunctionMode):
    """Hooks on the layers of a plan, and a watch over their parameters, for one forward pass."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        self.handles: list[Any] = []
        self.calls: Counter[nn.Module] = Counter()
        self.inside: nn.Module | None = None
        self.data_dependent = False
        """Whether values of tensors may have decided which layers got how many rows."""
        self.ruled = {id(parameter): parameter for parameter in plan.ruled()}

    def called(self, layer: Layer, number: int, x: Tensor, out: Tensor) -> Tensor:
        """A layer gave `out` for `x`; what the model goes on with."""
        raise NotImplementedError

    def escaped(self, parameter: nn.Parameter) -> None:
        """A parameter was used outside its layers."""
        name = self.plan.names[parameter]
        raise LayerUseError(
            f"{name} is used outside its layer, in this batch but not in the first",
            {parameter: name},
        )

    def misused(self, layer: Layer, how: str) -> LayerUseError:
        """What is said about a call that the layer's rule does not cover."""
        concerned = {parameter: self.plan.names[parameter] for parameter in layer.owned.values()}
        return LayerUseError(f"the layer {layer.name} {how}", concerned)

    def __enter__(self) -> Self:
        try:
            for module in self.plan.layers:
                self.handles += [
                    module.register_forward_pre_hook(self._before),
                    module.register_forward_hook(self._after, prepend=True, with_kwargs=True),
                ]
        except BaseException:
            self._remove()
            raise
        super().__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()
        super().__exit__(kind, value, trace)

    def _remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def _before(self, module: nn.Module, args: Any) -> None:
        self.inside = module

    def _after(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor
    ) -> Tensor:
        self.inside = None
        number = self.calls[module]
        self.calls[module] += 1
        x = args[0] if args else kwargs["input"]
        return self.called(self.plan.layers[module], number, x, out)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.data_dependent |= func in DATA_DEPENDENT or _by_mask(func, args)
        for value in (*args, *(kwargs or {}).values()):
            for one in value if isinstance(value, (tuple, list)) else (value,):
                parameter = self.ruled.get(id(one))
                if parameter is not None:
                    self._look(func, parameter, result)
        return result

    def _look(self, func: Any, parameter: nn.Parameter, result: Any) -> None:
        layer = self.plan.layers.get(self.inside) if self.inside is not None else None
        if layer is not None and any(own is parameter for own in layer.owned.values()):
            return
        results = result if isinstance(result, (tuple, list)) else (result,)
        if func not in HARMLESS and any(isinstance(r, Tensor) and r.requires_grad for r in results):
            self.escaped(parameter)


def _by_mask(func: Any, args: Any) -> bool:
    """Whether a tensor is indexed by True and False, or by `where` of a condition alone."""
    if func is torch.where:
        return len(args) == 1
    if func is not Tensor.__getitem__ and func is not Tensor.__setitem__:
        return False
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    return any(isinstance(i, Tensor) and i.dtype in (torch.bool, torch.uint8) for i in index)


class Tape(Hooks):
    """A forward pass whose backward pass gives squared norms."""

    def __init__(
        self, plan: Plan, layouts: dict[Call, Layout], examples: int, scratch: int
    ) -> None:
        super().__init__(plan)
        self.layouts, self.examples, self.scratch = layouts, examples, scratch
        self.anchor = torch.zeros((), requires_grad=True)
        self.uses: dict[nn.Parameter, list[Contribution]] = {}
        self.expected: Counter[nn.Parameter] = Counter()
        self.squares: dict[nn.Parameter, Tensor] = {}
        """Squared norms (B) of each parameter's gradient, after `backward`."""

    def called(self, layer: Layer, number: int, x: Tensor, out: Tensor) -> Tensor:
        layout = self._layout(layer, number)
        if layout.copied:
            x, out = layout.copies(x, self.examples), layout.copies(out, self.examples)
        self.expected.update(layer.owned.values())
        version = x._version

        def receive(delta: Tensor) -> None:
            if x._version != version:
                raise ModelError(
                    f"the input of {layer.name} is changed in place after its use; copy it first"
                )
            self._receive(layer, layout, x.detach(), delta)

        return Tap.apply(out, self.anchor, receive)

    def _layout(self, layer: Layer, number: int) -> Layout:
        layout = self.layouts.get((layer.module, number))
        if layout is None:
            # A loop that turned more often than on the first examples.
            others = {at for (module, _), at in self.layouts.items() if module is layer.module}
            if len(others) != 1:
                raise self.misused(layer, "is called in this batch as it was not in the first")
            layout = others.pop()
        return layout

    def _receive(self, layer: Layer, layout: Layout, x: Tensor, delta: Tensor) -> None:
        try:
            x, delta = layout.rows(x, self.examples), layout.rows(delta, self.examples)
        except NotForExamples:
            how = f"has an input, {tuple(x.shape)}, without as many rows for each of {self.examples} examples"
            raise self.misused(layer, how) from None
        parts = layer.rule.contributions(layer.module, x, delta, self.examples)
        for name, parameter in layer.owned.items():
            uses = self.uses.setdefault(parameter, [])
            uses.append(parts[name])
            if len(uses) == self.expected[parameter]:
                self._square(parameter)

    def _square(self, parameter: nn.Parameter) -> None:
        self.squares[parameter] = squares(self.uses.pop(parameter), self.scratch)

    def backward(self, losses: Tensor) -> None:
        """Fills `squares` with the squared norms of each loss's gradients."""
        with torch.autocast(losses.device.type, enabled=False):
            torch.autograd.grad(losses, self.anchor, torch.ones_like(losses), allow_unused=True)
            # Uses whose output the loss does not depend on never came.
            for parameter in list(self.uses):
                self._square(parameter)
