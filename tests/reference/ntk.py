"""The Gram matrix of the logits' gradients, from an explicit Jacobian.

    python ntk.py IN.safetensors OUT.safetensors [IN OUT ...]

IN: as for logits.py, with the weights and running statistics to use.

OUT: `kernel`, mK × mK, rows by example, then class: eval mode, `torch.func.jacrev` over all
parameters.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

import networks
import record


def kernel(network: nn.Module, images: Tensor) -> Tensor:
    parameters = {name: value.detach() for name, value in network.named_parameters()}
    buffers = dict(network.named_buffers())

    def logits(parameters, image):
        return functional_call(network, (parameters, buffers), (image[None],))[0]

    jacobian = vmap(jacrev(logits), (None, 0))(parameters, images)
    rows = torch.cat([value.flatten(2) for value in jacobian.values()], 2).flatten(0, 1)
    return rows @ rows.T


def answer(metadata: dict[str, str], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    network = networks.from_record(metadata, tensors).eval()
    return {"kernel": kernel(network, tensors["images"])}


if __name__ == "__main__":
    record.answer_all(__doc__, answer)
