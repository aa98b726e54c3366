"""The Gram matrix of logit gradients as PyTorch gives it, from an explicit Jacobian; seconds.

    python kernel.py --network resnet8 --width 16 --examples 100

`torch.func.vmap(jacrev)` in chunks of examples, then one matrix product. 32-bit floats, two threads,
random images: the time does not depend on them.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import torch
from torch.func import functional_call, jacrev, vmap

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "reference"))
import networks


def kernel(network, images, chunk):
    parameters = {name: value.detach() for name, value in network.named_parameters()}
    buffers = dict(network.named_buffers())

    def logits(parameters, image):
        return functional_call(network, (parameters, buffers), (image[None],))[0]

    def rows(images):
        jacobian = vmap(jacrev(logits), (None, 0))(parameters, images)
        return torch.cat([value.flatten(2) for value in jacobian.values()], 2).flatten(0, 1)

    rows = torch.cat([rows(part) for part in images.split(chunk)])
    return rows @ rows.T


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--network", required=True)
    flags.add_argument("--width", type=int, required=True)
    flags.add_argument("--examples", type=int, default=100)
    flags.add_argument("--chunk", type=int, default=10)
    flags.add_argument("--threads", type=int, default=2)
    args = flags.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    network = networks.build(args.network, 3, 32, 32, 10, args.width).eval()
    images = torch.randn(args.examples, 3, 32, 32)
    began = time.perf_counter()
    with torch.no_grad():
        trace = kernel(network, images, args.chunk).trace().item()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak, "trace": trace}))


if __name__ == "__main__":
    main()
