"""GraNd as PyTorch gives it: a way, a network, some images; images a second.

    python gradients.py --network resnet18 --way vmap --batch 32 --images 64

Ways: `vmap`, torch.func.vmap(grad), which keeps a gradient an example; `jacobian`, a Jacobian of the
batch of losses (torch.func.jacrev), as the paper's released code does; `step`, a training step, for
comparison. 32-bit floats, two threads, random images: the time does not depend on them.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import torch
from torch.func import functional_call, grad, jacrev, vmap
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "reference"))
import networks


def norms(network, way, images, labels):
    parameters = {name: value.detach() for name, value in network.named_parameters()}
    buffers = dict(network.named_buffers())

    def one(parameters, image, label):
        logits = functional_call(network, (parameters, buffers), (image[None],))
        return F.cross_entropy(logits, label[None])

    def batch(parameters):
        logits = functional_call(network, (parameters, buffers), (images,))
        return F.cross_entropy(logits, labels, reduction="none")

    if way == "vmap":
        gradients = vmap(grad(one), (None, 0, 0))(parameters, images, labels)
    else:
        gradients = jacrev(batch)(parameters)
    return sum(value.flatten(1).square().sum(1) for value in gradients.values()).sqrt()


def step(network, optimiser, images, labels):
    optimiser.zero_grad(set_to_none=True)
    F.cross_entropy(network(images), labels).backward()
    optimiser.step()


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--network", required=True)
    flags.add_argument("--width", type=int)
    flags.add_argument("--way", choices=("vmap", "jacobian", "step"), required=True)
    flags.add_argument("--batch", type=int, default=32)
    flags.add_argument("--images", type=int, default=64)
    flags.add_argument("--threads", type=int, default=2)
    args = flags.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    width = args.width or (64 if args.network in ("resnet18", "resnet50", "airbench") else 16)
    network = networks.build(args.network, 3, 32, 32, 10, width)
    images = torch.randn(args.batch, 3, 32, 32)
    labels = torch.randint(10, (args.batch,))
    if args.way == "step":
        network.train()
        optimiser = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, nesterov=True)
        work = lambda: step(network, optimiser, images, labels)
    else:
        network.eval()
        work = lambda: norms(network, args.way, images, labels)
    work()
    rounds = max(1, args.images // args.batch)
    began = time.perf_counter()
    for _ in range(rounds):
        work()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rate": rounds * args.batch / seconds, "peak_mib": peak}))


if __name__ == "__main__":
    main()
