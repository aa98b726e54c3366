"""Norms of each example's loss gradient, as PyTorch's per-example gradients have them.

    python grand.py IN.safetensors OUT.safetensors [IN OUT ...]

IN: as for logits.py, with the weights and running statistics to use.

OUT: `grand` over all parameters and `grand_last_layer` over those of the last layer, one
number an example: eval mode, cross-entropy, `torch.func.vmap(grad)`; `margin`, one number an example:
how far the input of a ReLU is at least from 0, where its gradient jumps.
"""

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
    squares = {name: value.flatten(1).square().sum(1) for name, value in gradients.items()}
    last = list(squares)[-1].split(".")[0]
    of_last = [square for name, square in squares.items() if name.split(".")[0] == last]
    return sum(squares.values()).sqrt(), sum(of_last).sqrt()


def answer(metadata: dict[str, str], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    network = networks.from_record(metadata, tensors).eval()
    everything, last_layer = norms(network, tensors["images"], tensors["labels"])
    with networks.Margin() as margin:
        network(tensors["images"])
    return {"grand": everything, "grand_last_layer": last_layer, "margin": margin.of(tensors["images"])}


if __name__ == "__main__":
    record.answer_all(__doc__, answer)
