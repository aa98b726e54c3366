"""GraNd: the norm of each example's loss gradient, exactly, without keeping a gradient.

``GraNd(x, y) = |gradient of loss(model(x), y)|_2`` over all parameters that train, in evaluation mode
(Paul, Ganguli, Dziugaite 2021, definition 2.1). One forward and one backward pass of a batch give it for
all its examples: see `rules`. The expectation over initialisations is the mean over models, which is
the caller's.

Not here: layers that have no rule, unless `fallback` is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import BatchSampler, IterableDataset, SequentialSampler

from datadiet.torch.batches import Batch, Forward, Loss, batch_of, call, losses_of
from datadiet.torch.checks import check_finite, check_labels, classes_of
from datadiet.torch.contributions import wide
from datadiet.torch.errors import BatchError, LayerUseError, ModelError
from datadiet.torch.evaluation import device_of, evaluating, only_training, unwrapped
from datadiet.torch.fallback import by_loop, by_vmap
from datadiet.torch.plan import FALLBACKS, Plan, plan_of
from datadiet.torch.probe import last_layer_of, layouts_of
from datadiet.torch.tape import Tape
from datadiet.torch.verify import wrong_parameters

# Bytes of scratch memory by default: on a processor what its caches hold, elsewhere what keeps it busy.
SCRATCH = {"cpu": 8 << 20}
LARGE_SCRATCH = 256 << 20


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of each example, of ``B x K`` logits and B labels (or ``B x K`` probabilities).

    With labels as ``softplus(logsumexp of the other logits - own logit)``: the gradient of an example of
    which the model is sure is small, and 32-bit floats of ``p - 1`` would lose it.
    """
    if logits.dim() != 2 or labels.shape != logits.shape[:1] or labels.is_floating_point():
        return F.cross_entropy(logits, labels, reduction="none")
    logits, own = wide(logits), labels.long()[:, None]
    others = logits.scatter(1, own, -torch.inf).logsumexp(1)
    return F.softplus(others - logits.gather(1, own)[:, 0])


def grand(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    loss: Loss = cross_entropy,
    scope: Literal["all", "last-layer"] = "all",
    last_layer: str | nn.Module | None = None,
    fallback: Literal["vmap", "loop"] | None = None,
    forward: Forward = call,
    examples: int | None = None,
    scratch_mib: int | None = None,
) -> npt.NDArray[np.float32]:
    """Norm of the gradient of each example's loss over all parameters that train.

    The range is 0 to infinity; higher is harder, or mislabelled. The model is used in evaluation mode,
    where it is and in its precision; afterwards its mode, its gradients and its hooks are as before.

    Parameters
    ----------
    model
        Layers with rules: `Linear`, `Conv1d` to `Conv3d`, `BatchNorm1d` to `BatchNorm3d`, `LayerNorm`,
        `RMSNorm`, `GroupNorm`, `InstanceNorm1d` to `InstanceNorm3d`, `Embedding`; and anything without
        parameters. Layers may be called more than once and parameters shared.
    loader
        Yields ``(inputs, labels)``, ``(inputs, labels, ids)``, or mappings with ``"labels"`` and perhaps
        ``"ids"`` whose other entries are the model's keyword arguments. Examples should be as they are
        evaluated: not augmented.
    loss
        Of the model's output and B labels, B losses. The default refuses labels that are not classes;
        leave examples out that are to be ignored.
    scope
        ``"last-layer"`` is over the last layer only: another score, and a cheaper one.
    last_layer
        The layer, or its name; by default the `torch.nn.Linear` that is called last.
    fallback
        What to do about parameters without a rule, which are refused by default: ``"vmap"`` finds their
        part with ``torch.func.vmap(grad)``, ``"loop"`` with a backward pass an example, which always
        works.
    forward
        Calls the model: ``forward(model, inputs)`` gives the loss its first argument. By default the
        model's output, or its `logits`.
    examples
        Length of the result, where the loader yields ids.
    scratch_mib
        Memory for intermediate results, beside the memory of the passes themselves; by default 8, on other
        devices than the processor 256. The gradients of ``"vmap"`` take 256 more.

    Returns
    -------
    One float32 an example. Where the loader yields ids, entry ``i`` belongs to the example with id ``i``,
    NaN where the loader had none; otherwise they are in the loader's order. Norms under 1e-19 may be 0.

    Raises
    ------
    ModelError
        A parameter has no rule (its name is in the message and in ``parameters``), or the model's output
        for an example depends on others or on chance.
    LossError
        The loss is not one number an example.
    BatchError
        The loader yields something else, an id twice, or examples without ids in an order that is
        random, a rank's, or of a sampler that is not known.
    NonFiniteError
        A norm is NaN or infinite, since weights or inputs are, or since it overflows. The first few ids
        of the batch are in the message and in ``ids``, or the places in the loader's order in ``rows``.
    LabelError
        With the default loss, labels that are floats or outside the classes of the model's output.

    Examples
    --------
    Two examples of two classes at the start of a linear model, where the error vector is (-1/2, 1/2) and
    the norm is that times the input's, the bias counted as an input of 1:

    >>> import torch
    >>> from datadiet.torch import grand
    >>> model = torch.nn.Linear(2, 2)
    >>> _ = torch.nn.init.zeros_(model.weight), torch.nn.init.zeros_(model.bias)
    >>> images, labels = torch.tensor([[1.0, 0.0], [0.0, 3.0]]), torch.tensor([0, 1])
    >>> grand(model, [(images, labels)])
    array([1.      , 2.236068], dtype=float32)
    """
    if fallback not in (None, *FALLBACKS):
        raise ValueError(f"fallback={fallback!r} is not one of {', '.join(FALLBACKS)}")
    if scope not in ("all", "last-layer"):
        raise ValueError(f'scope={scope!r} is neither "all" nor "last-layer"')
    model = unwrapped(model)
    device = device_of(model)
    scratch = scratch_mib << 20 if scratch_mib else SCRATCH.get(device.type, LARGE_SCRATCH)
    results = _Results(examples)
    norms: _Norms | None = None
    classes: int | None = None
    with evaluating(model):
        for item in loader:
            batch = batch_of(item).to(device)
            if len(batch) == 0:
                continue
            if norms is None:
                _check_order(loader, batch)
                scoped = model if scope == "all" else _last_layer(model, last_layer, batch, forward)
                norms = _Norms(model, plan_of(model, scoped), loss, forward, fallback, scratch)
                classes = classes_of(model, batch, forward) if loss is cross_entropy else None
            check_labels(batch, classes, results.examples_so_far)
            results.add(norms.of(batch), batch)
    return results.array()


def _check_order(loader: Any, batch: Batch) -> None:
    """Without ids the loader's order says whose norms these are, so that it must be a known one."""
    if batch.ids is not None:
        return
    sampler = getattr(loader, "batch_sampler", None)
    if sampler is None:
        sampler = getattr(loader, "sampler", None)
    if type(sampler) is BatchSampler:
        sampler = sampler.sampler
    stream = isinstance(getattr(loader, "dataset", None), IterableDataset)
    if sampler is not None and not stream and not _keeps_order(sampler):
        raise BatchError(
            f"the loader takes its order from a {type(sampler).__name__} and yields no ids, so that nobody"
            " knows whose norms these are; pass a loader with shuffle=False and no other sampler, or make"
            " it of datadiet.torch.indexed(dataset)"
        )
    if getattr(loader, "in_order", True) is False and loader.num_workers > 1:
        raise BatchError(
            "with in_order=False the loader yields batches in the order in which its workers finish;"
            " leave that out, or make the loader of datadiet.torch.indexed(dataset)"
        )


def _keeps_order(sampler: Any) -> bool:
    """Whether a sampler gives the rows in order, or in one that the caller wrote down."""
    return type(sampler) is SequentialSampler or isinstance(sampler, Sequence)


def _last_layer(
    model: nn.Module, named: str | nn.Module | None, batch: Batch, forward: Forward
) -> nn.Module:
    if named is None:
        return last_layer_of(model, batch, forward)
    if isinstance(named, nn.Module):
        return named
    layers = dict(model.named_modules())
    if named not in layers:
        raise ModelError(
            f"the model has no layer {named}; it has {', '.join(filter(None, layers))}"
        )
    return layers[named]


class _Norms:
    """Norms of batches, the first of which settles how."""

    def __init__(
        self,
        model: nn.Module,
        plan: Plan,
        loss: Loss,
        forward: Forward,
        fallback: Literal["vmap", "loop"] | None,
        scratch: int,
    ) -> None:
        self.model, self.plan = model, plan
        self.loss, self.forward = loss, forward
        self.fallback, self.scratch = fallback, scratch
        self.layouts: dict[Any, Any] | None = None

    def of(self, batch: Batch) -> npt.NDArray[np.float64]:
        """The norm of each example's gradient."""
        with only_training(self.model, list(self.plan.names)):
            squares = self._first(batch) if self.layouts is None else self._ruled(batch)[0]
            parts = list(squares.values()) + self._others(batch)
        total = torch.stack([part.cpu().double() for part in parts]).sum(0)
        return total.sqrt().numpy()

    def _first(self, batch: Batch) -> dict[nn.Parameter, Tensor]:
        """The squared norms of the first batch, when all is as the rules suppose."""
        while True:
            self.layouts = layouts_of(self.model, self.plan, batch, self.loss, self.forward)
            self.plan.check(self.fallback)
            squares, losses = self._ruled(batch)
            wrong = wrong_parameters(self.model, squares, losses, batch, self.loss, self.forward)
            if not wrong:
                return squares
            for parameter in wrong:
                self.plan.refuse(parameter, "its rule disagrees with an ordinary backward pass")
            self.plan.check(self.fallback)

    def _ruled(self, batch: Batch) -> tuple[dict[nn.Parameter, Tensor], Tensor]:
        """Squared norms of the parameters with a rule, and the losses.

        Layers that this batch uses in another way than the first lose their rule, if there is a
        fallback to take their place.
        """
        while True:
            try:
                return self._taped(batch)
            except LayerUseError as error:
                if self.fallback is None:
                    raise
                for parameter in error.concerned:
                    self.plan.refuse(parameter, "a batch uses its layer in another way")

    def _taped(self, batch: Batch) -> tuple[dict[nn.Parameter, Tensor], Tensor]:
        assert self.layouts is not None
        with Tape(self.plan, self.layouts, len(batch), self.scratch) as tape:
            losses = losses_of(self.model, batch, self.loss, self.forward)
        if losses.requires_grad:
            tape.backward(losses)
        zero = losses.new_zeros(len(batch))
        return {p: tape.squares.get(p, zero) for p in self.plan.ruled()}, losses.detach()

    def _others(self, batch: Batch) -> list[Tensor]:
        """Squared norms of the parameters without one."""
        others = {self.plan.names[parameter]: parameter for parameter in self.plan.without}
        if not others:
            return []
        if self.fallback == "loop":
            return list(by_loop(self.model, list(others.values()), batch, self.loss, self.forward))
        return list(by_vmap(self.model, others, batch, self.loss, self.forward))


class _Results:
    """Norms in the loader's order, or by id."""

    def __init__(self, examples: int | None) -> None:
        self.examples = examples
        self.norms: list[npt.NDArray[np.float32]] = []
        self.ids: list[npt.NDArray[np.int64]] = []
        self.examples_so_far = 0

    def add(self, norms: npt.NDArray[np.float64], batch: Batch) -> None:
        with np.errstate(over="ignore"):
            rounded = norms.astype(np.float32)
        check_finite(rounded, batch, self.examples_so_far)
        self.norms.append(rounded)
        self.examples_so_far += len(rounded)
        if batch.ids is not None:
            self.ids.append(batch.ids)
        if len(self.ids) not in (0, len(self.norms)):
            raise BatchError(
                "some batches have ids and some have none; give all of them ids, or none"
            )

    def array(self) -> npt.NDArray[np.float32]:
        norms = np.concatenate([np.empty(0, dtype=np.float32), *self.norms])
        if not self.ids:
            return norms
        ids = np.concatenate(self.ids)
        length = int(ids.max()) + 1 if self.examples is None else self.examples
        if ids.min() < 0 or ids.max() >= length:
            outside = ids[(ids < 0) | (ids >= length)]
            raise BatchError(
                f"id {outside[0]} is not in 0 to {length - 1}; pass examples= as many as there are"
            )
        order, counts = np.unique(ids, return_counts=True)
        if len(order) < len(ids):
            raise BatchError(
                f"id {order[counts > 1][0]} came twice; use a loader that yields each example once"
            )
        scores = np.full(length, np.nan, dtype=np.float32)
        scores[ids] = norms
        return scores
