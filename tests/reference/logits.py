"""Logits, gradients, batch-norm statistics and EL2N of one batch, as PyTorch computes them.

    python logits.py IN.safetensors OUT.safetensors [IN OUT ...]

IN: `param.<name>`, `buffer.<name>`, `images` (NCHW, already normalised), all of one type of floats,
in which everything is computed, and `labels` (int64); metadata: network, width, channels, height,
width_px, classes.

OUT: `logits_eval` and `el2n` (eval mode); from one pass in train mode, `logits_train`,
`grad.<param name>` of the mean cross-entropy, for each batch-norm `running_mean_after.<name>` and
`running_var_after.<name>`, and `margin`, one number an example: how far the input of a ReLU is at
least from 0, where its gradient jumps.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import networks
import record


def answer(metadata: dict[str, str], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    network = networks.from_record(metadata, tensors)
    images, labels = tensors["images"], tensors["labels"]

    network.eval()
    with torch.no_grad():
        logits = network(images)
        errors = logits.softmax(1) - F.one_hot(labels, logits.shape[1])
        out = {"logits_eval": logits, "el2n": errors.norm(dim=1)}

    network.train()
    with networks.Margin() as margin:
        logits = network(images)
    F.cross_entropy(logits, labels).backward()
    out |= {"logits_train": logits, "margin": margin.of(images)}
    for name, value in network.named_parameters():
        out[f"grad.{name}"] = value.grad
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            out[f"running_mean_after.{name}"] = module.running_mean
            out[f"running_var_after.{name}"] = module.running_var
    return out


if __name__ == "__main__":
    record.answer_all(__doc__, answer)
