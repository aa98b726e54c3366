"""The passes: hooks note each layer's input, and the gradients that come back meet it there.

A layer's output goes through `Tap`, an identity whose backward pass hands its gradient to the
layer's rule. All taps hang on one anchor, so that a backward pass to the anchor runs through every
one of them and computes no parameter's gradient: what the user has in `.grad` is not touched.

A parameter used by other means than its layer (``F.linear(h, embedding.weight)``) would escape the
hooks; every function of PyTorch that is called during the forward pass is watched for that. The watch
also gives loose parameters (`Plan.bare`), as a transformer's class token, to functions as one copy an
example, each copy behind a tap.

Inputs are saved the way that autograd saves them, so that where layers are checkpointed they are not
kept: the backward pass calls the layers again, and their taps save the inputs again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from datadiet.torch.contributions import Contribution, Rows, wide
from datadiet.torch.errors import LayerUseError, ModelError
from datadiet.torch.evaluation import checkpointed
from datadiet.torch.layout import Layout, NotForExamples
from datadiet.torch.measures import Measure
from datadiet.torch.packing import Packing, Spread
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

# So do these, of the parameter itself; a copy for each example would have another shape.
ABOUT = {
    Tensor.size,
    Tensor.dim,
    Tensor.ndimension,
    Tensor.numel,
    Tensor.nelement,
    Tensor.stride,
    Tensor.element_size,
    Tensor.is_floating_point,
    Tensor.is_complex,
    Tensor.is_contiguous,
    Tensor.data_ptr,
    Tensor.get_device,
    Tensor.__len__,
    torch.numel,
    torch.is_floating_point,
    *HARMLESS,
}


Receive = Callable[[Tensor, Tensor], None]
"""Takes a call's input and the gradient at its output."""


class Tap(torch.autograd.Function):
    """An identity that hands on the gradient."""

    @staticmethod
    def forward(
        ctx: Any, out: Tensor, x: Tensor, anchor: Tensor, name: str, receive: Receive
    ) -> Tensor:
        ctx.save_for_backward(x)
        ctx.layer, ctx.receive = name, receive
        # Not a view, so that a layer that works in place may follow.
        return out.detach()

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor, None, None, None, None]:
        try:
            (x,) = ctx.saved_tensors
        except RuntimeError as error:
            if "modified by an inplace operation" not in str(error):
                raise
            raise ModelError(
                f"the input of {ctx.layer} is changed in place after its use; copy it first"
            ) from None
        ctx.receive(x, delta)
        ctx.receive = None
        return delta, None, None, None, None


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
        self.within = {
            id(parameter): layer
            for layer in plan.layers.values()
            if layer.within
            for parameter in layer.owned.values()
        }

    def copy(self, parameter: nn.Parameter) -> Tensor:
        """A loose parameter for each example."""
        raise NotImplementedError

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
            for module, layer in self.plan.layers.items():
                if layer.within:
                    continue
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
        layer = self.plan.layers[module]
        if len(args) + len(kwargs) != 1:
            raise self.misused(layer, "is called with more than its input")
        return self._counted(layer, args[0] if args else next(iter(kwargs.values())), out)

    def _counted(self, layer: Layer, x: Tensor, out: Tensor) -> Tensor:
        number = self.calls[layer.module]
        self.calls[layer.module] += 1
        return self.called(layer, number, x, out)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.plan.bare and func not in ABOUT and getattr(func, "__name__", "") != "__get__":
            args = self._with_copies(args)
            kwargs = dict(zip(kwargs, self._with_copies((*kwargs.values(),)), strict=True))
        result = func(*args, **kwargs)
        if func is F.embedding and self.inside is None and id(args[1]) in self.within:
            return self._counted(self.within[id(args[1])], args[0], result)
        self.data_dependent |= func in DATA_DEPENDENT or _by_mask(func, args)
        for value in (*args, *kwargs.values()):
            for one in value if isinstance(value, (tuple, list)) else (value,):
                parameter = self.ruled.get(id(one))
                if parameter is not None:
                    self._look(func, parameter, result)
        return result

    def _with_copies(self, values: Any) -> Any:
        """The same arguments with a copy an example in place of loose parameters."""
        return type(values)(
            self.copy(value)
            if isinstance(value, nn.Parameter) and value in self.plan.bare
            else self._with_copies(value)
            if type(value) in (tuple, list)
            else value
            for value in values
        )

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
    """A forward pass whose backward pass, inside the same `with`, measures each example's gradient."""

    def __init__(
        self,
        plan: Plan,
        layouts: dict[Call, Layout],
        rows: int,
        packing: Packing | None,
        measure: Measure,
        model: nn.Module,
    ) -> None:
        super().__init__(plan)
        self.layouts, self.rows, self.measure = layouts, rows, measure
        self.spread = None if packing is None else Spread(packing)
        self.examples = rows if packing is None else packing.examples
        self.anchor = torch.zeros((), requires_grad=True, device="cpu")
        self.uses: dict[nn.Parameter, list[Contribution]] = {}
        self.expected: Counter[nn.Parameter] = Counter()
        self.again = False
        """Whether the backward pass runs, in which checkpointed layers are called again."""
        self.hidden = False
        """Whether a layer was called without a graph, as reentrant checkpoints do."""
        self.found: dict[nn.Parameter, Tensor] = {}
        """What is measured of each parameter's gradient (B x width), after `backward`."""
        self.model, self.outside = model, ExitStack()

    def __enter__(self) -> Self:
        with self.outside:
            self.outside.enter_context(checkpointed(self.model, self._watching))
            super().__enter__()
            self.outside = self.outside.pop_all()
        return self

    def __exit__(self, *raised: Any) -> None:
        with self.outside:
            super().__exit__(*raised)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """The watch alone, for layers that the backward pass calls: it runs inside of a watched call."""
        TorchFunctionMode.__enter__(self)
        try:
            yield
        finally:
            TorchFunctionMode.__exit__(self, None, None, None)

    def called(self, layer: Layer, number: int, x: Tensor, out: Tensor) -> Tensor:
        layout = self._layout(layer, number)
        if layout.copied:
            x, out = layout.copies(x, self.rows), layout.copies(out, self.rows)
        self.hidden |= not torch.is_grad_enabled()
        if not self.again:
            self.expected.update(layer.owned.values())

        def receive(x: Tensor, delta: Tensor) -> None:
            self._receive(layer, layout, x, delta)

        return Tap.apply(out, x.detach(), self.anchor, layer.name, receive)

    def copy(self, parameter: nn.Parameter) -> Tensor:
        if not self.again:
            self.expected[parameter] += 1
        copies = self.plan.copies(parameter, self.rows)
        size = parameter.numel()

        def receive(x: Tensor, delta: Tensor) -> None:
            self._add(parameter, Rows(wide(delta).reshape(self.rows, size)))

        return Tap.apply(copies, copies[:0], self.anchor, self.plan.names[parameter], receive)

    def _layout(self, layer: Layer, number: int) -> Layout:
        layout = None if self.again else self.layouts.get((layer.module, number))
        if layout is None:
            # A loop that turned more often than on the first examples, or a layer that is called again.
            others = {at for (module, _), at in self.layouts.items() if module is layer.module}
            if self.again and len(others) > 1:
                raise self.misused(
                    layer, "is checkpointed and its calls differ in where the examples lie"
                )
            if len(others) != 1:
                raise self.misused(layer, "is called in this batch as it was not in the first")
            layout = others.pop()
        return layout

    def _receive(self, layer: Layer, layout: Layout, x: Tensor, delta: Tensor) -> None:
        try:
            x, delta = layout.rows(x, self.rows), layout.rows(delta, self.rows)
            if self.spread is not None:
                if not layer.rule.leading:
                    raise NotForExamples
                x, delta = self.spread(x), self.spread(delta)
        except NotForExamples:
            how = f"has an input, {tuple(x.shape)}, without as many rows for each of {self.rows} examples"
            if self.spread is not None:
                how = f"has an input, {tuple(x.shape)}, that is not rows x tokens"
            raise self.misused(layer, how) from None
        parts = layer.rule.contributions(layer.module, x, delta, self.examples)
        for name, parameter in layer.owned.items():
            self._add(parameter, parts[name])

    def _add(self, parameter: nn.Parameter, use: Contribution) -> None:
        uses = self.uses.setdefault(parameter, [])
        uses.append(use)
        if len(uses) == self.expected[parameter]:
            self._measure(parameter)

    def _measure(self, parameter: nn.Parameter) -> None:
        name = self.plan.names[parameter]
        self.found[parameter] = self.measure.of_uses(
            name, parameter.shape, self.uses.pop(parameter)
        )

    def backward(self, losses: Tensor) -> None:
        """Fills `found` with what is measured of each loss's gradients."""
        if self.hidden and _holds(losses, "CheckpointFunctionBackward"):
            raise ModelError(
                "the model checkpoints layers in the reentrant way, for which PyTorch gives no gradients"
                " of chosen tensors; checkpoint with use_reentrant=False"
            )
        self.again = True
        with torch.autocast(losses.device.type, enabled=False):
            torch.autograd.grad(losses, self.anchor, torch.ones_like(losses), allow_unused=True)
        # Uses whose output the loss does not depend on never came.
        for parameter in list(self.uses):
            self._measure(parameter)


def _holds(losses: Tensor, name: str) -> bool:
    """Whether the graph has a function of this name."""
    ahead, seen = [losses.grad_fn], set()
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        if type(node).__name__ == name:
            return True
        seen.add(node)
        ahead += [before for before, _ in node.next_functions]
    return False
