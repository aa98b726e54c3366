"""One step of stochastic gradient descent on a given batch, as PyTorch takes it.

    python optimiser.py IN.safetensors OUT.safetensors [IN OUT ...]

IN: as for logits.py, with the momentum of each parameter as `momentum.<name>`; metadata: also lr,
momentum, weight_decay and, where they are not 1 or 0, bias_rate, label_smoothing, muon_rate and
muon_momentum.

OUT: `param.<name>`, `buffer.<name>` and `momentum.<name>` after the step, and the `loss` before it.
The momentum is Nesterov's. The weight decay falls on every parameter but those of Muon; one-dimensional
parameters have bias_rate times the learning rate, and so much less weight decay.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

import networks
import record


def orthogonal(matrix: Tensor) -> Tensor:
    """Three Newton-Schulz iterations with the coefficients of Jordan et al. 2024."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(3):
        left = x @ x.T
        x = a * x + (b * left + c * left @ left) @ x
    return x


@torch.no_grad()
def muon(value: Tensor, buffer: Tensor, rate: float, momentum: float) -> None:
    buffer.mul_(momentum).add_(value.grad)
    ahead = value.grad + momentum * buffer
    value.mul_(len(value) ** 0.5 / value.norm())
    value.sub_(rate * orthogonal(ahead.flatten(1)).view_as(value))


def answer(metadata: dict[str, str], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    network = networks.from_record(metadata, tensors).train()
    number = {name: float(value) for name, value in metadata.items() if _is_number(value)}
    bias_rate = number.get("bias_rate", 1.0)
    named = dict(network.named_parameters())
    filters = [v for v in named.values() if v.dim() == 4] if "muon_rate" in number else []
    of_muon = {id(value) for value in filters}
    others = [value for value in named.values() if id(value) not in of_muon]
    lr, weight_decay = number["lr"], number["weight_decay"]
    optimiser = torch.optim.SGD(
        [
            {"params": [value for value in others if value.dim() > 1]},
            {
                "params": [value for value in others if value.dim() == 1],
                "lr": lr * bias_rate,
                "weight_decay": weight_decay / bias_rate,
            },
        ],
        lr=lr,
        momentum=number["momentum"],
        nesterov=number["momentum"] > 0,
        weight_decay=weight_decay,
    )
    buffers = {name: tensors[f"momentum.{name}"] for name in named}
    for value, name in ((named[name], name) for name in named if id(named[name]) not in of_muon):
        optimiser.state[value]["momentum_buffer"] = buffers[name]
    loss = F.cross_entropy(
        network(tensors["images"]),
        tensors["labels"],
        label_smoothing=number.get("label_smoothing", 0.0),
    )
    loss.backward()
    optimiser.step()
    for name, value in named.items():
        if id(value) in of_muon:
            muon(value, buffers[name], number["muon_rate"], number["muon_momentum"])

    out = {"loss": loss} | networks.buffers(network)
    for name, value in named.items():
        out[f"param.{name}"] = value
        state = optimiser.state.get(value, {})
        out[f"momentum.{name}"] = state.get("momentum_buffer", buffers[name])
    return out


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    record.answer_all(__doc__, answer)
