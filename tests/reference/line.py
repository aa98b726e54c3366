"""Error and loss on the straight line between two networks, with PyTorch's own tools.

    python line.py IN.safetensors OUT.safetensors

IN: as for logits.py, with the weights at one end; `to.*` has those at the other end, `alphas` the
points, `statistics` the images from which batch-norm statistics are taken, `batch` how many of them
make a batch; `images` and `labels` are judged.

OUT: `error` and `loss`, one number a point: `torch.optim.swa_utils.update_bn`, eval mode.
"""

import sys

import torch
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

import networks
import record


def main(source: str, target: str) -> None:
    torch.set_num_threads(2)
    metadata, tensors = record.read(source)
    other = {name.removeprefix("to."): value for name, value in tensors.items() if name.startswith("to.")}
    batches = tensors["statistics"].split(int(tensors["batch"]))
    labels = tensors["labels"].long()
    errors, losses = [], []
    for alpha in tensors["alphas"].tolist():
        point = dict(tensors)
        for name, value in other.items():
            point[name] = (1 - alpha) * tensors[name] + alpha * value
        network = networks.from_record(metadata, point)
        # Cumulative means, as without momentum.
        update_bn(batches, network)
        logits = network.eval()(tensors["images"])
        errors.append((logits.argmax(1) != labels).float().mean())
        losses.append(F.cross_entropy(logits, labels))
    record.write(target, {"error": torch.stack(errors), "loss": torch.stack(losses)})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with torch.no_grad():
        main(sys.argv[1], sys.argv[2])
