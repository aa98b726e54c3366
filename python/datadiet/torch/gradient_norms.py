"""GraNd: the norm of each example's loss gradient, exactly, without keeping a gradient.

``GraNd(x, y) = |gradient of loss(model(x), y)|_2`` over all parameters that train, in evaluation mode
(Paul, Ganguli, Dziugaite 2021, definition 2.1). One forward and one backward pass of a batch give it for
all its examples: see `rules`. The expectation over initialisations is the mean over models, which is
the caller's.

Not here: layers that have no rule, unless `fallback` is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from datadiet.torch.batches import Batch, Forward, Loss, call
from datadiet.torch.losses import cross_entropy
from datadiet.torch.measures import Squares
from datadiet.torch.passes import Fallback, Scope, measure_all, scratch_of
from datadiet.torch.placement import Placement, rounded


def grand(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    loss: Loss = cross_entropy,
    scope: Scope = "all",
    last_layer: str | nn.Module | None = None,
    fallback: Fallback | None = None,
    forward: Forward = call,
    packed: str | None = None,
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
        `RMSNorm` and those of other libraries, `GroupNorm`, `InstanceNorm1d` to `InstanceNorm3d`,
        `Embedding`, the `Conv1D` of transformers; parameters that a model's own code adds to, multiplies
        with or puts beside its examples, as a class token; and anything without parameters. Layers may be
        called more than once and parameters shared.
    loader
        Yields ``(inputs, labels)``, ``(inputs, labels, ids)``, or mappings with ``"labels"`` and perhaps
        ``"ids"`` whose other entries are the model's keyword arguments. Examples should be as they are
        evaluated: not augmented.
    loss
        Of the model's output and B labels, B losses. The default refuses labels that are not classes;
        leave examples out that are to be ignored. For labels of tokens there is `TokenLoss`, which sums or
        averages: say which.
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
    packed
        The name of the batch's entry that tells the examples of a row apart, where rows hold several, one
        after another: ``"position_ids"``, which start again at each, or numbers of examples
        (``"segment_ids"``, ``"seq_idx"``; negative for padding). Each example has its norm, those of the
        first row first; `loss` must be a `TokenLoss`. That the model keeps them apart is checked.
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
    scratch = scratch_of(model, scratch_mib)
    placement = Placement(examples)
    norms: list[npt.NDArray[np.float32]] = []

    def take(batch: Batch, squares: Tensor) -> None:
        norms.append(rounded(squares.sqrt().numpy(), batch, placement.so_far))
        placement.add(batch)

    measure_all(
        model,
        loader,
        Squares(scratch),
        loss=loss,
        scope=scope,
        last_layer=last_layer,
        fallback=fallback,
        forward=forward,
        packed=packed,
        scratch=scratch,
        take=take,
    )
    places, length = placement.places()
    scores = np.full(length, np.nan, dtype=np.float32)
    scores[places] = np.concatenate([np.empty(0, dtype=np.float32), *norms])
    return scores
