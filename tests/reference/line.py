"""Networks on the straight line between two others, and what they get wrong, with PyTorch's own tools.

    python line.py IN.safetensors OUT.safetensors [IN OUT ...]

IN: as for logits.py, with the weights at one end; `to.*` has those at the other end, `alphas` the
points, `statistics` the images from which batch-norm statistics are taken, `batch` how many of them
make a batch; `images` and `labels` are judged.

OUT: for the point of index i, `buffer.<name>.<i>` after `torch.optim.swa_utils.update_bn`; `error` and
`loss`, one number a point, in eval mode.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

import networks
import record


@torch.no_grad()
def answer(metadata: dict[str, str], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    ends = {name.removeprefix("to."): value for name, value in tensors.items() if name.startswith("to.")}
    batches = tensors["statistics"].split(int(tensors["batch"]))
    out, errors, losses = {}, [], []
    for index, alpha in enumerate(tensors["alphas"].tolist()):
        point = dict(tensors)
        for name, value in ends.items():
            point[name] = (1 - alpha) * tensors[name] + alpha * value
        network = networks.from_record(metadata, point)
        # Cumulative means, as without momentum.
        update_bn(batches, network)
        out |= {f"{name}.{index}": value for name, value in networks.buffers(network).items()}
        logits = network.eval()(tensors["images"])
        errors.append((logits.argmax(1) != tensors["labels"]).to(logits.dtype).mean())
        losses.append(F.cross_entropy(logits, tensors["labels"]))
    return out | {"error": torch.stack(errors), "loss": torch.stack(losses)}


if __name__ == "__main__":
    record.answer_all(__doc__, answer)
