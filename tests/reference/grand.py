"""Norms of each example's loss gradient, as PyTorch's per-example gradients have them.

    python grand.py IN.safetensors OUT.safetensors

IN: as for logits.py, with the weights and running statistics to use.

OUT: `grand` over all parameters and `grand_last_layer` over weight and bias of the last layer, one
number an example: eval mode, cross-entropy, `torch.func.vmap(grad)`, in 64-bit floats.
"""

import sys

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

import networks
import record


def norms(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    parameters = {name: value.detach() for name, value in network.named_parameters()}
    buffers = dict(network.named_buffers())

    def loss(parameters, image, label):
        logits = functional_call(network, (parameters, buffers), (image[None],))
        return F.cross_entropy(logits, label[None])

    gradients = vmap(grad(loss), (None, 0, 0))(parameters, images, labels)
    squares = [value.flatten(1).square().sum(1) for value in gradients.values()]
    return sum(squares).sqrt().float(), sum(squares[-2:]).sqrt().float()


def main(source: str, target: str) -> None:
    torch.set_num_threads(2)
    metadata, tensors = record.read(source)
    network = networks.from_record(metadata, tensors).eval()
    images, labels = tensors["images"].double(), tensors["labels"].long()
    everything, last_layer = norms(network.double(), images, labels)
    record.write(target, {"grand": everything, "grand_last_layer": last_layer})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
