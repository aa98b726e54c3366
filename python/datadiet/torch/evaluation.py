"""A model in evaluation mode, with gradients, for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and gradients inside; afterwards every layer's mode is what it was.

    Models of transformers keep no keys and values for a next token, which none comes for.
    """
    modes = [(module, module.training) for module in model.modules()]
    configs = {id(c): c for m in model.modules() if (c := getattr(m, "config", None)) is not None}
    caching = [
        config
        for config in configs.values()
        if getattr(config, "use_cache", None) is True and hasattr(config, "model_type")
    ]
    try:
        model.eval()
        for config in caching:
            config.use_cache = False
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
        for config in caching:
            config.use_cache = True


@contextmanager
def checkpointed(
    model: nn.Module, again: Callable[[], AbstractContextManager[None]]
) -> Iterator[None]:
    """Layers of transformers for which the user switched checkpointing on do so inside.

    They would only in training mode, which also drops out. When the backward pass calls a layer again it
    does so inside of `again()`.
    """
    contexts = lambda: (nullcontext(), again())  # noqa: E731
    layers = [
        module
        for module in model.modules()
        if getattr(module, "gradient_checkpointing", False) is True
        and any(kind.__name__ == "GradientCheckpointingLayer" for kind in type(module).__mro__)
        and "forward" not in vars(module)
    ]
    try:
        for layer in layers:
            layer.forward = partial(
                checkpoint, layer.forward, use_reentrant=False, context_fn=contexts
            )
        yield
    finally:
        for layer in layers:
            del layer.forward


@contextmanager
def only_training(model: nn.Module, kept: list[nn.Parameter]) -> Iterator[None]:
    """No other parameter asks for a gradient inside, so that nothing is kept for it."""
    chosen = {id(parameter) for parameter in kept}
    others = [p for p in model.parameters() if p.requires_grad and id(p) not in chosen]
    try:
        for parameter in others:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside torch.compile, DataParallel or DistributedDataParallel: hooks need its layers."""
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter is."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
