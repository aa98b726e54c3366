"""The networks of the project in plain PyTorch: the reference that the tests compare with.

Parameter names are torchvision's where torchvision has the network. Every batch-norm but those of
airbench has eps 1e-5 and PyTorch's momentum 0.1 (0.9 where momentum means the share that is kept).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class Margin(TorchFunctionMode):
    """How far the inputs of all ReLUs are at least from 0, for each example of a batch.

    There the gradient jumps: where rounding may move an input across, gradients cannot be compared.
    """

    of_examples: Tensor | None = None

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is F.relu:
            nearest = args[0].detach().abs().flatten(1).amin(1)
            known = self.of_examples
            self.of_examples = nearest if known is None else torch.minimum(known, nearest)
        return function(*args, **(kwargs or {}))


    def of(self, images: Tensor) -> Tensor:
        """Of each image; infinite in a network without ReLUs."""
        if self.of_examples is None:
            return images.new_full([len(images)], torch.inf)
        return self.of_examples


Activation = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Activation] = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu}


def conv3x3(inputs: int, outputs: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=bias)


def projection(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    """The shortcut of a block: None where the shape does not change."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
    )


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int, act: Activation):
        super().__init__()
        self.act = act
        self.conv1 = conv3x3(inputs, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = projection(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.act(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.act(x + shortcut)


class Bottleneck(nn.Module):
    """Version 1.5: the stride is in the 3×3 convolution."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int, act: Activation):
        super().__init__()
        self.act = act
        outputs = planes * self.expansion
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.act(self.bn1(self.conv1(x)))
        x = self.act(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x))
        return self.act(x + shortcut)


class ResNet(nn.Module):
    """A low-resolution ResNet: 3×3 stem of stride 1, no max-pool, as many stages as `blocks` has entries."""

    def __init__(
        self,
        block: type,
        blocks: list[int],
        width: int,
        channels: int,
        classes: int,
        act: Activation,
    ):
        super().__init__()
        self.act = act
        self.conv1 = conv3x3(channels, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.stages = []
        inputs = width
        for stage, count in enumerate(blocks):
            planes = width << stage
            layers = []
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                layers.append(block(inputs, planes, stride, act))
                inputs = planes * block.expansion
            name = f"layer{stage + 1}"
            setattr(self, name, nn.Sequential(*layers))
            self.stages.append(name)
        self.fc = nn.Linear(inputs, classes)

        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.bn1(self.conv1(x)))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(x.mean(dim=(2, 3)))


class SimpleCnn(nn.Module):
    def __init__(self, width: int, channels: int, classes: int, act: Activation):
        super().__init__()
        self.act = act
        self.conv1a = conv3x3(channels, width, 1, bias=True)
        self.conv1b = conv3x3(width, width, 2, bias=True)
        self.conv2a = conv3x3(width, 2 * width, 1, bias=True)
        self.conv2b = conv3x3(2 * width, 2 * width, 2, bias=True)
        self.conv3a = conv3x3(2 * width, 4 * width, 1, bias=True)
        self.conv3b = conv3x3(4 * width, 4 * width, 2, bias=True)
        self.fc = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.conv1a, self.conv1b, self.conv2a, self.conv2b, self.conv3a, self.conv3b):
            x = self.act(conv(x))
        return self.fc(x.mean(dim=(2, 3)))


class Mlp(nn.Module):
    def __init__(self, width: int, inputs: int, classes: int, act: Activation):
        super().__init__()
        self.act = act
        self.fc1 = nn.Linear(inputs, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.fc1(x.flatten(1)))
        x = self.act(self.fc2(x))
        return self.fc3(x)


class Whitening(nn.Module):
    """2×2 patches through filters that are not trained, with a bias that is."""

    def __init__(self, channels: int):
        super().__init__()
        outputs = 2 * channels * 4
        self.register_buffer("weight", torch.zeros(outputs, channels, 2, 2))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias)


def shift_norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm with a shift and without a scale."""
    norm = nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4)
    norm.register_parameter("weight", None)
    return norm


class ConvGroup(nn.Module):
    def __init__(self, inputs: int, outputs: int, act: Activation):
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs)
        self.norm1 = shift_norm(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.norm2 = shift_norm(outputs)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return self.act(self.norm2(self.conv2(x)))


class Airbench(nn.Module):
    """As in Jordan 2024 (arXiv 2404.00498), with the largest number of each channel behind the groups."""

    def __init__(self, width: int, channels: int, classes: int, act: Activation):
        super().__init__()
        self.act = act
        self.whiten = Whitening(channels)
        self.layers = nn.ModuleDict({
            "1": ConvGroup(8 * channels, width, act),
            "2": ConvGroup(width, 4 * width, act),
            "3": ConvGroup(4 * width, 4 * width, act),
        })
        self.head = nn.Linear(4 * width, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.whiten(x))
        for group in self.layers.values():
            x = group(x)
        # Not amax, which shares the gradient out to all of equal numbers.
        x = F.max_pool2d(x, x.shape[2:]).flatten(1)
        return self.head(x) / x.shape[1]


RESNETS = {
    "resnet8": (BasicBlock, [1, 1, 1], 16),
    "resnet14": (BasicBlock, [2, 2, 2], 16),
    "resnet20": (BasicBlock, [3, 3, 3], 16),
    "resnet18": (BasicBlock, [2, 2, 2, 2], 64),
    "resnet50": (Bottleneck, [3, 4, 6, 3], 64),
}
NAMES = [*RESNETS, "simple-cnn", "mlp", "airbench"]


def build(
    name: str,
    channels: int,
    height: int,
    width_px: int,
    classes: int,
    width: int | None = None,
    activation: str | None = None,
) -> nn.Module:
    """Build a network; `width` and `activation` None mean the network's own."""
    act = ACTIVATIONS[activation or ("gelu" if name == "airbench" else "relu")]
    if name in RESNETS:
        block, blocks, default = RESNETS[name]
        return ResNet(block, blocks, width or default, channels, classes, act)
    if name == "simple-cnn":
        return SimpleCnn(width or 32, channels, classes, act)
    if name == "mlp":
        return Mlp(width or 512, channels * height * width_px, classes, act)
    if name == "airbench":
        return Airbench(width or 64, channels, classes, act)
    raise ValueError(f"unknown network {name!r}; known: {', '.join(NAMES)}")


def buffers(network: nn.Module) -> dict[str, Tensor]:
    """Running statistics by the names that they have in files."""
    return {
        f"buffer.{name}": value
        for name, value in network.named_buffers()
        if not name.endswith("num_batches_tracked")
    }


def from_record(metadata: dict[str, str], tensors: dict[str, Tensor]) -> nn.Module:
    """The network that an input file describes, with its `param.*` and `buffer.*` values in their type."""
    width = metadata.get("width", "")
    network = build(
        metadata["network"],
        int(metadata["channels"]),
        int(metadata["height"]),
        int(metadata["width_px"]),
        int(metadata["classes"]),
        int(width) if width not in ("", "None", "null") else None,
        metadata.get("activation"),
    )
    network.to(next(value.dtype for name, value in tensors.items() if name.startswith("param.")))
    wanted = {f"param.{name}": value for name, value in network.named_parameters()}
    wanted |= buffers(network)
    given = {name for name in tensors if name.startswith(("param.", "buffer."))}
    if given != set(wanted):
        raise ValueError(
            f"missing: {sorted(set(wanted) - given)}; not of this network: {sorted(given - set(wanted))}"
        )
    with torch.no_grad():
        for name, value in wanted.items():
            if value.shape != tensors[name].shape or value.dtype != tensors[name].dtype:
                raise ValueError(f"{name}: {tensors[name].dtype} {tuple(tensors[name].shape)}, "
                                 f"not {value.dtype} {tuple(value.shape)}")
            value.copy_(tensors[name])
    return network
