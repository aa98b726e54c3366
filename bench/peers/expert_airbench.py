"""The recipe `speedrun` as well as plain PyTorch can on a CPU.

Weights are cast to the training precision once for each part of a minibatch, instead of autocast's look-ups;
a minibatch passes in parts whose activations stay in the cache; the first layer's bias has its gradient
from a sum of its own, as PyTorch's convolution would compute the gradient of the frozen filters with it; once
the bias is frozen, nothing before the second convolution is differentiated; filters of one shape are
orthogonalised together; for evaluation batch-norms are folded into the convolutions, also across
max-pools, which a positive scale passes, and pools are maxima of slices. Where nothing is differentiated,
a convolution and its GELU are one call of oneDNN.
"""

import common
import speedrun
import torch
from torch import Tensor
from torch.nn import functional as F


class Whiten(torch.autograd.Function):
    """A convolution with filters that are not trained and a bias that is."""

    @staticmethod
    def forward(ctx, x: Tensor, filters: Tensor, bias: Tensor) -> Tensor:
        return F.conv2d(x, filters, bias)

    @staticmethod
    def backward(ctx, grad: Tensor):
        count, channels = grad.shape[:2]
        pixels = grad.permute(0, 2, 3, 1).reshape(count, -1, channels)
        # Image by image first: the fast direction, and sums small enough for 16 bits.
        return None, None, pixels.sum(1).sum(0, dtype=torch.float32).to(grad.dtype)


def activated(x: Tensor, weight: Tensor, bias: Tensor, padding: int) -> Tensor:
    """GELU of a convolution, without gradients: the operator that torch.compile has for frozen networks."""
    if not torch.backends.mkldnn.is_available():
        return F.gelu(F.conv2d(x, weight, bias, padding=padding))
    one, around = [1, 1], [padding, padding]
    fused = torch.ops.mkldnn._convolution_pointwise
    return fused(x, weight, bias, around, one, one, 1, "gelu", [], "none")


def pooled(x: Tensor) -> Tensor:
    """Max-pool of 2×2 as maxima of slices: faster than max_pool2d, which also notes places."""
    height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    rows = torch.maximum(x[:, :, 0:height:2], x[:, :, 1:height:2])
    return torch.maximum(rows[..., 0:width:2], rows[..., 1:width:2])


class Airbench:
    """A training by the recipe."""

    def __init__(self, args, data):
        self.args, self.data = args, data
        self.recipe = speedrun.Recipe(args.batch, args.width)
        self.part = args.micro_batch or 250
        first = data.plain(slice(0, speedrun.WHITENED)).float()
        filters = speedrun.whitening_filters(first).to(data.dtype)
        self.filters = filters.contiguous(memory_format=torch.channels_last)
        self.logits, self.evaluated = self.training_logits, self.evaluation_logits
        if args.compile:
            self.logits = torch.compile(self.training_logits, dynamic=False)
            self.evaluated = torch.compile(self.evaluation_logits, dynamic=False)

    def begin(self, steps: int, random: torch.Generator) -> None:
        args, self.steps, self.random = self.args, steps, random
        network = speedrun.fresh(args.width, self.data.classes)
        self.network = network.to(memory_format=torch.channels_last)
        parts = max(1, args.batch // self.part)
        for group in network.layers.values():
            for norm in (group.norm1, group.norm2):
                # All parts of a minibatch together have the weight of one.
                norm.momentum = 1 - (1 - speedrun.MOMENTUM) ** (1 / parts)
        self.optimiser = speedrun.Optimiser(network, self.recipe)
        self.mirrored = torch.rand(len(self.data), generator=random) < 0.5

    def training_logits(self, images: Tensor, frozen: bool) -> Tensor:
        network, dtype = self.network, images.dtype
        bias = network.whiten.bias.to(dtype)
        if frozen:
            with torch.no_grad():
                x = activated(images, self.filters, bias, 0)
        else:
            x = F.gelu(Whiten.apply(images, self.filters, bias))
        for group in network.layers.values():
            x = F.conv2d(x, group.conv1.weight.to(dtype), padding=1)
            x = F.gelu(normed(F.max_pool2d(x, 2), group.norm1))
            x = F.conv2d(x, group.conv2.weight.to(dtype), padding=1)
            x = F.gelu(normed(x, group.norm2))
        x = x.amax((2, 3)).float()
        return F.linear(x, network.head.weight) / x.shape[1]

    def step(self, step: int, epoch: int, ids: Tensor, labels: Tensor) -> Tensor:
        """Logits of the minibatch before the step."""
        recipe, data = self.recipe, self.data
        frozen = step >= recipe.whitening_steps(self.steps)
        logits = []
        for part, truth in zip(ids.split(self.part), labels.split(self.part), strict=True):
            flip = self.mirrored[part] ^ (epoch % 2 == 1)
            images = data.augmented(part, flip, self.random)
            out = self.logits(images, frozen)
            speedrun.loss_of(out, truth, len(ids)).backward()
            logits.append(out.detach())
        self.optimiser.step(recipe.factor(step, self.steps))
        return torch.cat(logits)

    @torch.no_grad()
    def fold(self) -> None:
        """Bring the weights of evaluation up to date."""
        network, dtype = self.network, self.data.dtype
        self.folded = []
        for group in network.layers.values():
            for conv, norm in ((group.conv1, group.norm1), (group.conv2, group.norm2)):
                scale = (norm.running_var + norm.eps).rsqrt()
                weight = (conv.weight * scale[:, None, None, None]).to(dtype)
                bias = (norm.bias - norm.running_mean * scale).to(dtype)
                self.folded.append((weight.contiguous(memory_format=torch.channels_last), bias))
        self.bias = network.whiten.bias.to(dtype)
        self.head = network.head.weight / network.head.in_features

    def evaluation_logits(self, images: Tensor, bias: Tensor, folded: list, head: Tensor) -> Tensor:
        x = activated(images, self.filters, bias, 0)
        for at, (weight, bias) in enumerate(folded):
            if at % 2 == 0:
                x = F.gelu(pooled(F.conv2d(x, weight, bias, padding=1)))
            else:
                x = activated(x, weight, bias, 1)
        return F.linear(x.amax((2, 3)).float(), head)

    def evaluate(self, images: Tensor) -> Tensor:
        """Logits of images as they are."""
        return self.evaluated(images, self.bias, self.folded, self.head)

    def tested(self, images: Tensor) -> Tensor:
        """Logits of test images N×H×W×C: half of the image, a quarter each of two shifted by a pixel, and
        of all of them half of the mirrored one."""
        size = images.shape[1]
        source = common.mirrored(size, 1)
        total = 0
        for offset, weight in ((0, 1 / 8), (1, 1 / 4), (2, 1 / 8)):
            rows = source[offset : offset + size]
            view = images if offset == 1 else images[:, rows][:, :, rows]
            for shown in (view, view.flip(2)):
                total = total + weight * self.evaluate(shown.permute(0, 3, 1, 2))
        return total


def normed(x: Tensor, norm) -> Tensor:
    """Batch norm in training mode, without the module's counter of batches."""
    return F.batch_norm(
        x, norm.running_mean, norm.running_var, None, norm.bias, True, norm.momentum, norm.eps
    )
