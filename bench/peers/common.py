"""What both peers share: the flags, the network, the schedule, and the results file."""

import argparse
import json
import resource

import speedrun
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as F

SCORES = ("el2n", "l1", "loss", "entropy", "max_margin", "sum_margin", "correct")
TRACKERS = ("forgetting", "never_learned", "aum", "confidence", "variability", "correctness")


def parser(description: str) -> argparse.ArgumentParser:
    """The flags of both peers."""
    flags = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    flags.add_argument("--data", required=True, help="safetensors file with the data set")
    flags.add_argument(
        "--network",
        choices=("resnet8", "airbench"),
        default="resnet8",
        help="airbench: all of the recipe `speedrun`, which --lr to --weight-decay do not concern",
    )
    flags.add_argument("--replicas", type=int, default=1)
    flags.add_argument("--replica-offset", type=int, default=0, help="number of the first replica")
    flags.add_argument("--epochs", type=int, default=4)
    flags.add_argument("--limit", type=int, help="use the first LIMIT training images only")
    flags.add_argument("--at", default="0,1,2,4", help="epochs after which every image is scored")
    flags.add_argument(
        "--batch", type=int, help="default: 128; of airbench a 25th of the training set"
    )
    flags.add_argument("--width", type=int, help="channels at first; default: 16; of airbench 64")
    flags.add_argument("--lr", type=float, default=0.1, help="highest learning rate")
    flags.add_argument("--warmup", type=float, default=0.1, help="share of the steps that warm up")
    flags.add_argument("--momentum", type=float, default=0.9)
    flags.add_argument("--weight-decay", type=float, default=5e-4)
    flags.add_argument("--threads", type=int, help="threads of a process; default: the peer's own")
    flags.add_argument("--out", help="write the scores here (npz)")
    flags.add_argument("--json", help="write the figures here; without it they are printed")
    return flags


def parsed(flags: argparse.ArgumentParser) -> argparse.Namespace:
    """The flags with what follows from the network and the data."""
    args = flags.parse_args()
    if args.width is None:
        args.width = 64 if args.network == "airbench" else 16
    if args.batch is None:
        args.batch = 128
        if args.network == "airbench":
            with safe_open(args.data, framework="np") as file:
                examples = file.get_slice("train.labels").get_shape()[0]
            args.batch = speedrun.batch_of(min(examples, args.limit or examples))
    return args


def padding(args: argparse.Namespace) -> int:
    """Pixels of reflected border before a random crop."""
    return speedrun.PAD if args.network == "airbench" else 4


def mirrored(size: int, pad: int) -> Tensor:
    """Which of `size` rows each row of a reflect-padded image is."""
    position = torch.arange(-pad, size + pad).abs()
    return torch.where(position < size, position, 2 * size - 2 - position)


def times(args: argparse.Namespace) -> list[int]:
    """The epochs to score at; those after the end of training are left out."""
    return sorted({int(word) for word in args.at.split(",") if int(word) <= args.epochs})


def learning_rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Linear from 0 to the peak, then linear to 0 at the end."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return peak * (step + 1) / rising
    return peak * (steps - step) / (steps - rising)


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.bn2(self.conv2(x))
        x += shortcut
        return F.relu(x, inplace=True)


class ResNet8(nn.Module):
    def __init__(self, width: int = 16, classes: int = 10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(BasicBlock(width, width, 1))
        self.layer2 = nn.Sequential(BasicBlock(width, 2 * width, 2))
        self.layer3 = nn.Sequential(BasicBlock(2 * width, 4 * width, 2))
        self.fc = nn.Linear(4 * width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean(dim=(2, 3)))


def peak_rss_mb() -> float:
    """The highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(args: argparse.Namespace, figures: dict) -> None:
    text = json.dumps(figures, indent=2)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    else:
        print(text)
