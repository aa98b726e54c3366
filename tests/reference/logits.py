"""Logits, gradients, batch-norm statistics and EL2N of one batch, as PyTorch computes them.

    python logits.py IN.safetensors OUT.safetensors

IN: `param.<name>`, `buffer.<name>`, `images` (f32 NCHW, already normalised), `labels` (int64);
metadata: network, width, channels, height, width_px, classes.

OUT: `logits_eval`, `loss_eval`, `el2n` (eval mode); from one pass in train mode, `logits_train`,
`grad.<param name>` of the mean cross-entropy and, for each batch-norm, `running_mean_after.<name>`
and `running_var_after.<name>`. `grad64.<param name>` is the same gradient computed in
64-bit floats.
"""

import copy
import sys

import torch
from torch import nn
from torch.nn import functional as F

import networks
import record


def main(source: str, target: str) -> None:
    torch.set_num_threads(1)
    metadata, tensors = record.read(source)
    network = networks.from_record(metadata, tensors)
    images, labels = tensors["images"], tensors["labels"].long()

    network.eval()
    with torch.no_grad():
        logits = network(images)
        errors = logits.softmax(1) - F.one_hot(labels, logits.shape[1])
        out = {
            "logits_eval": logits,
            "loss_eval": F.cross_entropy(logits, labels),
            "el2n": errors.norm(dim=1),
        }

    network.train()
    exact = copy.deepcopy(network).double()
    F.cross_entropy(exact(images.double()), labels).backward()
    for name, value in exact.named_parameters():
        out[f"grad64.{name}"] = value.grad.float()

    logits = network(images)
    F.cross_entropy(logits, labels).backward()
    out["logits_train"] = logits
    for name, value in network.named_parameters():
        out[f"grad.{name}"] = value.grad
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            out[f"running_mean_after.{name}"] = module.running_mean
            out[f"running_var_after.{name}"] = module.running_var
    record.write(target, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
