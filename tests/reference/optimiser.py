"""One step of stochastic gradient descent on a given batch, as PyTorch takes it.

    python optimiser.py IN.safetensors OUT.safetensors [IN OUT ...]

IN: as for logits.py, with the momentum of each parameter as `momentum.<name>`; metadata: also lr,
momentum, weight_decay.

OUT: `param.<name>`, `buffer.<name>` and `momentum.<name>` after the step, and the `loss` before it.
The momentum is Nesterov's, and the weight decay falls on every parameter.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

import networks
import record


def answer(metadata: dict[str, str], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    network = networks.from_record(metadata, tensors).train()
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=float(metadata["lr"]),
        momentum=float(metadata["momentum"]),
        nesterov=True,
        weight_decay=float(metadata["weight_decay"]),
    )
    for name, value in network.named_parameters():
        optimiser.state[value]["momentum_buffer"] = tensors[f"momentum.{name}"]
    loss = F.cross_entropy(network(tensors["images"]), tensors["labels"])
    loss.backward()
    optimiser.step()

    out = {"loss": loss} | networks.buffers(network)
    for name, value in network.named_parameters():
        out[f"param.{name}"] = value
        out[f"momentum.{name}"] = optimiser.state[value]["momentum_buffer"]
    return out


if __name__ == "__main__":
    record.answer_all(__doc__, answer)
