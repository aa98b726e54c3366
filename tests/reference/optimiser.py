"""A few SGD steps on given batches, as PyTorch takes them.

    python optimiser.py IN.safetensors OUT.safetensors

IN: `param.<name>`, `buffer.<name>`, `batches.images` [k, B, C, H, W] (f32, already normalised) and
`batches.labels` [k, B] (int64); metadata: network, width, channels, height, width_px, classes,
lr (a JSON list of k values), momentum, weight_decay.

OUT: `param.<name>` and `buffer.<name>` after the k steps, and `losses` [k], each before its step;
`exact.param.<name>` and so on are the same, computed in 64-bit floats.
The momentum is Nesterov's, and the weight decay falls on every parameter.
"""

import json
import sys

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import networks
import record


def main(source: str, target: str) -> None:
    torch.set_num_threads(1)
    metadata, tensors = record.read(source)
    out = train(networks.from_record(metadata, tensors), metadata, tensors)
    exact = train(networks.from_record(metadata, tensors).double(), metadata, tensors)
    record.write(target, out | {f"exact.{name}": value.float() for name, value in exact.items()})


def train(
    network: nn.Module, metadata: dict[str, str], tensors: dict[str, Tensor]
) -> dict[str, Tensor]:
    kind = next(network.parameters()).dtype
    images, labels = tensors["batches.images"].to(kind), tensors["batches.labels"].long()
    rates = json.loads(metadata["lr"])
    if not len(rates) == len(images) == len(labels):
        raise ValueError(
            f"{len(rates)} learning rates, {len(images)} batches of images, {len(labels)} of labels"
        )

    network.train()
    momentum = float(metadata["momentum"])
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=0.1,
        momentum=momentum,
        nesterov=momentum > 0,
        weight_decay=float(metadata["weight_decay"]),
    )
    losses = []
    for rate, batch, truth in zip(rates, images, labels, strict=True):
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = F.cross_entropy(network(batch), truth)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())

    out = {f"param.{name}": value for name, value in network.named_parameters()}
    out |= {
        f"buffer.{name}": value
        for name, value in network.named_buffers()
        if not name.endswith("num_batches_tracked")
    }
    out["losses"] = torch.stack(losses)
    return out


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
