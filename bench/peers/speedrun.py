"""The recipe `speedrun` of docs/TRAINING.md in PyTorch: what both peers share of it.

`airbench94_muon` of Jordan 2024 (arXiv 2404.00498) in terms of the mean loss, as datadiet trains it: Muon
for the filters, SGD with Nesterov momentum for the head and, at a rate of their own, for the biases; a
first layer that whitens patches and whose bias is frozen after 3/8 of the steps; label smoothing; flips
that alternate from epoch to epoch; crops of images reflected by 2 pixels; six views of a test image.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "reference"))
import networks

SMOOTHING = 0.2
PAD = 2
# Examples whose patches the first layer whitens.
WHITENED = 5000
# Weight of the newest batch in running statistics.
MOMENTUM = 0.4


def batch_of(examples: int) -> int:
    """25 steps an epoch, as with 2,000 of 50,000."""
    return min(max(examples // 25, 32), 2000) // 4 * 4


def parts_of(batch: int) -> int:
    """In how many parts datadiet passes a batch: each has batch-norm statistics of its own."""
    return 4 if batch >= 1000 else 1


@dataclass(frozen=True)
class Recipe:
    """Rates of the first step; all of them fall linearly to 0."""

    batch: int
    width: int
    momentum: float = 0.85
    muon: float = 0.24
    muon_momentum: float = 0.6

    @property
    def head(self) -> float:
        return 0.67 * self.batch * self.width / 64

    @property
    def bias(self) -> float:
        return 0.053 * self.batch

    @property
    def decay(self) -> float:
        """The product of decay and rate."""
        return 2e-6 * self.batch

    @staticmethod
    def whitening_steps(steps: int) -> int:
        """Steps in which the first layer's bias trains (a half rounds up)."""
        return int(3 / 8 * steps + 0.5)

    @staticmethod
    def factor(step: int, steps: int) -> float:
        """Of all rates at this step, counted from 0."""
        return (steps - step) / steps


def whitening_filters(images: Tensor) -> Tensor:
    """The first layer's filters, of normalised images N×C×H×W, in their order of eigenvalues."""
    channels = images.shape[1]
    width = channels * 4
    covariance = torch.zeros(width, width, dtype=torch.float64)
    count = 0
    for part in images.split(250):
        patches = part.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5)
        patches = patches.reshape(-1, width).double()
        covariance += patches.T @ patches
        count += len(patches)
    values, vectors = torch.linalg.eigh(covariance / count)
    filters = vectors.T / (values + 5e-4).sqrt()[:, None]
    return torch.cat((filters, -filters)).view(2 * width, channels, 2, 2).float()


def fresh(width: int, classes: int) -> nn.Module:
    """The reference network with the recipe's starting values; the whitening's filters are not set."""
    network = networks.build("airbench", 3, 32, 32, classes, width)
    with torch.no_grad():
        nn.init.uniform_(network.whiten.bias, -(12**-0.5), 12**-0.5)
        for group in network.layers.values():
            for conv in (group.conv1, group.conv2):
                nn.init.dirac_(conv.weight[: conv.in_channels])
        nn.init.uniform_(network.head.weight, -1, 1)
        network.head.weight /= network.head.weight.std()
    return network


def loss_of(logits: Tensor, labels: Tensor, batch: int) -> Tensor:
    """The part that these examples have in the mean loss of a batch of so many."""
    return F.cross_entropy(logits, labels, reduction="sum", label_smoothing=SMOOTHING) / batch


def orthogonal(matrices: Tensor) -> Tensor:
    """Three Newton–Schulz iterations on each of a stack of matrices, N × rows × columns."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(3):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon:
    """Steps of the filters, those of the same shape together."""

    def __init__(self, filters: list[Tensor], recipe: Recipe):
        self.momentum, self.rate = recipe.muon_momentum, recipe.muon
        self.groups: dict[tuple[int, ...], list[Tensor]] = {}
        for weight in filters:
            self.groups.setdefault((len(weight), weight[0].numel()), []).append(weight)
        self.buffers = {shape: torch.zeros(len(ws), *shape) for shape, ws in self.groups.items()}

    @torch.no_grad()
    def step(self, factor: float) -> None:
        for shape, weights in self.groups.items():
            gradients = torch.stack([weight.grad.reshape(shape) for weight in weights])
            buffer = self.buffers[shape].mul_(self.momentum).add_(gradients)
            updates = orthogonal(gradients.add_(buffer, alpha=self.momentum))
            for weight, update in zip(weights, updates, strict=True):
                weight.mul_(shape[0] ** 0.5 / weight.norm())
                weight.sub_(update.view(weight.shape), alpha=self.rate * factor)
                weight.grad = None


class Optimiser:
    """A step of every parameter of a network, at its rate."""

    def __init__(self, network: nn.Module, recipe: Recipe):
        filters = [p for p in network.parameters() if p.dim() == 4]
        biases = [p for p in network.parameters() if p.dim() == 1]
        head = [p for p in network.parameters() if p.dim() == 2]
        groups = [
            {"params": head, "lr": recipe.head, "weight_decay": recipe.decay / recipe.head},
            {"params": biases, "lr": recipe.bias, "weight_decay": recipe.decay / recipe.bias},
        ]
        self.muon = Muon(filters, recipe)
        self.sgd = torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=True, fused=True)
        self.rates = [group["lr"] for group in self.sgd.param_groups]

    def step(self, factor: float) -> None:
        """With all rates times `factor`; gradients are gone afterwards. Who has none is frozen."""
        for group, rate in zip(self.sgd.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.sgd.step()
        self.sgd.zero_grad(set_to_none=True)
        self.muon.step(factor)
