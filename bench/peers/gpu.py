"""Steps and gradient norms of a network in PyTorch on a GPU; images a second of every round, as JSON.

    python gpu.py --network resnet18 --batch 1000 --precision bf16 --way compiled

Ways: `eager`; `compiled`, torch.compile with CUDA graphs (mode reduce-overhead); `vmap`, the norms by
torch.func.vmap(grad). Weights in 32-bit floats, autocast for bf16, channels innermost; the images of noise
lie on the GPU and are cropped and flipped there, a crop for each, as datadiet does. 32-bit floats are
multiplied as such (no TF32). The first two rounds are not counted.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "reference"))
import networks

EXAMPLES = 8192
BORDER = 4


def batches(images, size: int):
    """Cropped and flipped images, for ever."""
    padded = F.pad(images, [BORDER] * 4, mode="reflect").permute(0, 2, 3, 1).contiguous()
    side, device = images.shape[-1], images.device
    while True:
        order = torch.randperm(len(images), device=device)
        for ids in order[: len(order) // size * size].split(size):
            at = torch.arange(side, device=device)
            rows = at + torch.randint(2 * BORDER + 1, (size, 1), device=device)
            columns = at + torch.randint(2 * BORDER + 1, (size, 1), device=device)
            flipped = torch.rand(size, 1, device=device) < 0.5
            columns = torch.where(flipped, columns.flip(1), columns)
            yield ids, padded[ids[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def norms(network, images, labels):
    parameters = {name: value.detach() for name, value in network.named_parameters()}
    buffers = dict(network.named_buffers())

    def one(parameters, image, label):
        logits = functional_call(network, (parameters, buffers), (image[None],))
        return F.cross_entropy(logits, label[None])

    gradients = vmap(grad(one), (None, 0, 0))(parameters, images, labels)
    return sum(value.flatten(1).square().sum(1) for value in gradients.values()).sqrt()


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--network", required=True)
    flags.add_argument("--width", type=int, default=64)
    flags.add_argument("--batch", type=int, default=1000)
    flags.add_argument("--precision", choices=("f32", "bf16"), default="bf16")
    flags.add_argument("--way", choices=("eager", "compiled", "vmap"), default="eager")
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument("--steps", type=int, default=20)
    flags.add_argument("--device", default="cuda")
    args = flags.parse_args()
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    network = networks.build(args.network, 3, 32, 32, 10, args.width).to(args.device)
    network = network.to(memory_format=torch.channels_last)
    for module in network.modules():
        # A norm without scale has no backward pass on GPUs.
        if isinstance(module, torch.nn.BatchNorm2d) and module.weight is None:
            module.weight = torch.nn.Parameter(torch.ones_like(module.bias), requires_grad=False)
    images = torch.randn(EXAMPLES, 3, 32, 32, device=args.device)
    labels = torch.randint(10, (EXAMPLES,), device=args.device)
    fused = args.device == "cuda"
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, nesterov=True, fused=fused)
    autocast = torch.autocast(args.device, torch.bfloat16, enabled=args.precision == "bf16")

    def loss_of(images, labels):
        with autocast:
            return F.cross_entropy(network(images).float(), labels)

    if args.way == "compiled":
        loss_of = torch.compile(loss_of, mode="reduce-overhead")
    network.train(args.way != "vmap")
    source = batches(images, args.batch)
    rates = []
    for round in range(args.rounds + 2):
        if args.device == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(args.steps):
            ids, batch = next(source)
            if args.way == "vmap":
                with autocast:
                    norms(network, batch, labels[ids]).sum().item()
            else:
                optimiser.zero_grad(set_to_none=True)
                loss = loss_of(batch, labels[ids])
                loss.backward()
                optimiser.step()
                # As a loop that tells its loss does.
                loss.item()
        if round > 1:
            rates.append(round_rate(args, began))
    print(json.dumps({"images_per_second": rates}))


def round_rate(args, began: float) -> float:
    return round(args.steps * args.batch / (time.perf_counter() - began), 1)


if __name__ == "__main__":
    main()
