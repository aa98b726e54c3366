"""GraNd of PyTorch models against torch.func.vmap(grad) in 64-bit floats."""

from __future__ import annotations

import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_reference import by_loop, reference  # noqa: E402

from datadiet import LabelError, NonFiniteError  # noqa: E402
from datadiet.torch import (  # noqa: E402
    BatchError,
    FrozenParametersWarning,
    LossError,
    ModelError,
    check,
    grad,
    grand,
)

CLASSES = 4

torch.set_num_threads(1)


def batches(inputs: Any, labels: Any, size: int = 4) -> list[tuple[Any, Any]]:
    """Of unequal sizes where `size` does not divide."""
    return list(zip(inputs.split(size), labels.split(size), strict=True))


def agrees(model: nn.Module, inputs: Any, labels: Any, expected: Any = None, **kwargs: Any) -> None:
    """In 32-bit floats to 1e-4, in 64-bit floats to rounding."""
    expected = reference(model, inputs, labels) if expected is None else expected
    found = grand(model, batches(inputs, labels), **kwargs)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def labels_for(inputs: Any) -> Any:
    return torch.randint(CLASSES, (len(inputs),))


class Pooled(nn.Module):
    """A layer between a random non-linearity before and a classifier after it."""

    def __init__(self, layer: nn.Module, before: nn.Module | None = None) -> None:
        super().__init__()
        self.before = before or nn.Identity()
        self.layer = layer
        self.head = nn.LazyLinear(CLASSES)

    def forward(self, x: Any) -> Any:
        return self.head(torch.tanh(self.layer(self.before(x))).flatten(1))


def randomised(model: nn.Module, *inputs: Any) -> nn.Module:
    """With parameters and statistics that hide nothing: no scale of one, no shift of zero."""
    with torch.no_grad():
        model(*inputs)
        for parameter in model.parameters():
            parameter.mul_(1 + 0.3 * torch.randn_like(parameter))
            parameter.add_(0.05 * torch.randn_like(parameter))
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer.add_(torch.rand_like(buffer))
    return model.eval()


def random_convolution(dimensions: int, draw: random.Random) -> tuple[nn.Module, Any]:
    groups = draw.choice([1, 1, 2, 3])
    channels, outputs = groups * draw.randint(1, 8), groups * draw.randint(1, 8)
    sides = [draw.randint(7, 12 if dimensions < 3 else 8) for _ in range(dimensions)]
    kernel = [draw.randint(1, 3) for _ in range(dimensions)]
    dilation = [draw.randint(1, 3) for _ in range(dimensions)]
    padding: Any = draw.choice(["same", "valid", [draw.randint(0, 2) for _ in range(dimensions)]])
    stride: Any = 1 if padding == "same" else [draw.randint(1, 3) for _ in range(dimensions)]
    layer = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1](
        channels,
        outputs,
        kernel,
        stride,
        padding,
        dilation,
        groups,
        bias=draw.random() < 0.5,
        padding_mode=draw.choice(["zeros", "zeros", "circular", "replicate"]),
    )
    return layer, torch.randn(6, channels, *sides)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_convolutions_of_any_shape(dimensions: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer, x = random_convolution(dimensions, random.Random(1000 * dimensions + seed))
    agrees(randomised(Pooled(layer), x), x, labels_for(x))


@pytest.mark.parametrize("few_positions", [True, False])
def test_both_forms_of_a_convolution_are_used(few_positions: bool) -> None:
    from datadiet.torch.rules.convolution import Filters, padded

    torch.manual_seed(0)
    layer = nn.Conv2d(32, 32, 3, padding=1)
    x = torch.randn(5, 32, *((4, 4) if few_positions else (16, 16)))
    use = Filters(layer, padded(layer, x), layer(x).detach(), 5)
    assert use._gram_is_cheaper() == few_positions
    small = randomised(Pooled(layer), x)
    agrees(small, x, labels_for(x))


@pytest.mark.parametrize("seed", range(20))
def test_convolutions_agree_in_any_pieces(seed: int) -> None:
    from datadiet.torch.contributions import in_pieces
    from datadiet.torch.rules.convolution import Filters, padded

    torch.manual_seed(seed)
    layer, x = random_convolution(2, random.Random(seed))
    x = x.double()
    layer = layer.double()
    use = Filters(layer, padded(layer, x), torch.randn_like(layer(x)), len(x))
    direct = in_pieces(len(x), 4, use._by_matrix)
    torch.testing.assert_close(in_pieces(len(x), 1, use._by_matrix), direct)
    torch.testing.assert_close(in_pieces(len(x), 2, use._by_positions), direct)
    torch.testing.assert_close(use.squares(1), direct)


@pytest.mark.parametrize("leading", [(), (3,), (40,), (2, 5)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("scratch", [1, 1 << 20])
def test_linear_with_any_leading_axes(leading: tuple[int, ...], bias: bool, scratch: int) -> None:
    from datadiet.torch.contributions import squares
    from datadiet.torch.rules.linear import Linear

    torch.manual_seed(1)
    x = torch.randn(6, *leading, 7)
    layer = nn.Linear(7, 9, bias=bias)
    model = randomised(Pooled(layer), x)
    agrees(model, x, labels_for(x))
    delta = torch.randn(6, *leading, 9)
    use = Linear().contributions(layer, x, delta, 6)["weight"]
    torch.testing.assert_close(squares([use], scratch), use.dense(0, 6).square().sum(1))


NORMS = [
    (lambda: nn.BatchNorm1d(6), (6,)),
    (lambda: nn.BatchNorm1d(6), (6, 5)),
    (lambda: nn.BatchNorm2d(6), (6, 4, 5)),
    (lambda: nn.BatchNorm3d(6), (6, 2, 3, 4)),
    (lambda: nn.LayerNorm(5), (5,)),
    (lambda: nn.LayerNorm([4, 5]), (3, 4, 5)),
    (lambda: nn.LayerNorm(5, bias=False), (7, 5)),
    (lambda: nn.RMSNorm(5), (7, 5)),
    (lambda: nn.GroupNorm(3, 6), (6, 4, 5)),
    (lambda: nn.GroupNorm(2, 6), (6,)),
    (lambda: nn.InstanceNorm1d(6, affine=True), (6, 5)),
    (lambda: nn.InstanceNorm2d(6, affine=True), (6, 4, 5)),
    (lambda: nn.InstanceNorm3d(6, affine=True), (6, 2, 3, 4)),
    (lambda: nn.InstanceNorm2d(6, affine=True, track_running_stats=True), (6, 4, 5)),
]


@pytest.mark.parametrize("case", range(len(NORMS)))
def test_normalisations(case: int) -> None:
    torch.manual_seed(case)
    make, shape = NORMS[case]
    x = 2 + 3 * torch.randn(6, *shape)
    # Something before the norm, whose gradient goes through it.
    model = randomised(Pooled(make(), nn.Linear(shape[-1], shape[-1])), x)
    agrees(model, x, labels_for(x))


@pytest.mark.parametrize("padding", [None, 0, 3])
def test_embedding_with_repeated_tokens(padding: int | None) -> None:
    torch.manual_seed(2)
    x = torch.randint(5, (6, 12))
    model = randomised(Pooled(nn.Embedding(5, 6, padding_idx=padding)), x)
    agrees(model, x, labels_for(x))


def test_sparse_embedding() -> None:
    torch.manual_seed(2)
    x = torch.randint(5, (6, 12))
    model = randomised(Pooled(nn.Embedding(5, 6, sparse=True)), x)
    expected = by_loop(model, x, y := labels_for(x))
    agrees(model, x, y, expected)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            short = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(short, nn.BatchNorm2d(outputs))

    def forward(self, x: Any) -> Any:
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += shortcut
        return self.relu(out)


class ResNet(nn.Module):
    """As torchvision's, in-place additions and rectifiers included."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))
        self.pool = nn.MaxPool2d(2)
        widths = [width, width, 2 * width, 4 * width]
        self.blocks = nn.Sequential(
            *(Block(i, o, 1 + (i != o)) for i, o in zip(widths, widths[1:], strict=False))
        )
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(widths[-1], CLASSES)

    def forward(self, x: Any) -> Any:
        x = self.blocks(self.pool(F.relu(self.stem(x), inplace=True)))
        return self.fc(self.dropout(x.mean((2, 3))))


@pytest.fixture
def resnet() -> tuple[nn.Module, Any, Any]:
    torch.manual_seed(3)
    x = torch.randn(10, 3, 16, 16)
    return randomised(ResNet(), x), x, labels_for(x)


def test_resnet(resnet: tuple[nn.Module, Any, Any]) -> None:
    agrees(*resnet)


def test_resnet_in_channels_last(resnet: tuple[nn.Module, Any, Any]) -> None:
    model, x, y = resnet
    expected = reference(model, x, y)
    agrees(
        model.to(memory_format=torch.channels_last),
        x.to(memory_format=torch.channels_last),
        y,
        expected,
    )


def test_last_layer(resnet: tuple[nn.Module, Any, Any]) -> None:
    model, x, y = resnet
    found = grand(model, batches(x, y), scope="last-layer")
    for name in ("fc", model.fc):
        np.testing.assert_array_equal(
            grand(model, batches(x, y), scope="last-layer", last_layer=name), found
        )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("fc."))
    np.testing.assert_allclose(found, reference(model, x, y), rtol=1e-4)
    with pytest.raises(ModelError, match="no layer head; it has stem"):
        grand(model, batches(x, y), scope="last-layer", last_layer="head")


class Attention(nn.Module):
    """A transformer of plain layers, with positions that all examples share."""

    def __init__(self, tied: bool, positions: str = "row") -> None:
        super().__init__()
        self.tokens = nn.Embedding(11, 8)
        self.places = nn.Embedding(16, 8)
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)
        self.head = nn.Linear(8, 11, bias=False)
        self.positions = positions
        if tied:
            self.head.weight = self.tokens.weight

    def forward(self, x: Any) -> Any:
        places = torch.arange(x.shape[1])
        h = self.places(places[None] if self.positions == "row" else places)
        h = self.tokens(x) + (h[None] if self.positions == "widened" else h)
        q, k, v = self.qkv(self.norm1(h)).chunk(3, -1)
        h = h + self.out(F.scaled_dot_product_attention(q, k, v))
        h = h + self.down(F.gelu(self.up(self.norm2(h))))
        return self.head(h)


def next_token(logits: Any, tokens: Any) -> Any:
    """Mean cross-entropy of each sequence."""
    return F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none").mean(1)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("positions", ["row", "flat"])
@pytest.mark.parametrize("length", [4, 6, 9])
def test_transformer_of_plain_layers(tied: bool, positions: str, length: int) -> None:
    """Sequences as long as a batch included: the last one has 2 examples, the others 4."""
    torch.manual_seed(4)
    x = torch.randint(11, (6, length))
    model = randomised(Attention(tied, positions), x)
    y = torch.randint(11, (6, length))
    expected = reference(model, x, y, next_token)
    np.testing.assert_allclose(grand(model, batches(x, y), loss=next_token), expected, rtol=1e-4)


def test_positions_for_which_copies_do_not_fit_are_refused_by_name() -> None:
    torch.manual_seed(4)
    x = torch.randint(11, (6, 5))
    y = torch.randint(11, (6, 5))
    model = randomised(Attention(False, "widened"), x)
    with pytest.raises(
        ModelError, match=r"places.weight: its output is shared by all examples"
    ) as caught:
        grand(model, batches(x, y), loss=next_token)
    assert caught.value.parameters == ["places.weight"]
    expected = reference(model, x, y, next_token)
    for fallback in ("vmap", "loop"):
        found = grand(model, batches(x, y), loss=next_token, fallback=fallback)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


class Functional(nn.Module):
    """The table of tokens is also the classifier, without a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(11, 8)
        self.mix = nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        return F.linear(torch.tanh(self.mix(self.tokens(x)).mean(1)), self.tokens.weight)


def test_a_use_outside_the_layer_is_refused_by_name() -> None:
    torch.manual_seed(5)
    x = torch.randint(11, (6, 5))
    y = torch.randint(11, (6,))
    model = randomised(Functional(), x)
    with pytest.raises(ModelError, match=r"tokens.weight: it is used outside its layer") as caught:
        grand(model, batches(x, y))
    assert caught.value.parameters == ["tokens.weight"]
    agrees(model, x, y, fallback="vmap")
    agrees(model, x, y, fallback="loop")


def test_multihead_attention_is_refused_by_name_and_the_fallback_takes_it() -> None:
    torch.manual_seed(6)
    x = torch.randn(6, 5, 8)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = randomised(Pooled(layer), x)
    y = labels_for(x)
    with pytest.raises(ModelError) as caught:
        grand(model, batches(x, y))
    message = str(caught.value)
    assert "layer.self_attn.in_proj_weight: MultiheadAttention has no rule" in message
    assert 'fallback="vmap"' in message
    assert caught.value.parameters == [
        f"layer.self_attn.{name}"
        for name in ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    ]
    expected = by_loop(model, x, y)
    agrees(model, x, y, expected, fallback="vmap")
    agrees(model, x, y, expected, fallback="loop")


def test_lstms_and_weight_norm_are_refused_by_name_and_a_bare_scale_is_not() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.rand(5))
            self.normed = nn.utils.parametrizations.weight_norm(nn.Linear(5, 5))
            self.lstm = nn.LSTM(5, 5, batch_first=True)
            self.head = nn.Linear(5, CLASSES)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(self.normed(x * self.scale))[0][:, -1])

    torch.manual_seed(7)
    x = torch.randn(6, 3, 5)
    model = randomised(Bare(), x)
    y = labels_for(x)
    with pytest.raises(ModelError, match="lstm.weight_ih_l0: LSTM has no rule") as caught:
        grand(model, batches(x, y))
    assert "scale" not in caught.value.parameters
    assert "normed.parametrizations.weight.original0" in caught.value.parameters
    assert "lstm.weight_ih_l0" in caught.value.parameters
    assert not any(name.startswith("head") for name in caught.value.parameters)
    agrees(model, x, y, by_loop(model, x, y), fallback="loop")


def test_a_layer_with_a_forward_pass_of_its_own_is_refused() -> None:
    class Scaled(nn.Linear):
        def forward(self, x: Any) -> Any:
            return F.linear(x, 2 * self.weight, self.bias)

    class Named(nn.Linear):
        pass

    torch.manual_seed(8)
    x = torch.randn(6, 5)
    agrees(randomised(Pooled(Named(5, 5)), x), x, labels_for(x))
    with pytest.raises(ModelError, match=r"layer.weight: its Scaled has a forward pass of its own"):
        grand(randomised(Pooled(Scaled(5, 5)), x), batches(x, labels_for(x)))


def test_layers_called_more_than_once_and_shared_weights() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)
            self.b.weight = self.a.weight
            self.norm = nn.LayerNorm(6)
            self.conv = nn.Conv1d(3, 3, 3, padding=1)
            self.wide = nn.Conv1d(3, 3, 3, padding=2, dilation=2)
            self.wide.weight = self.conv.weight
            self.table = nn.Embedding(6, 6)
            self.head = nn.Linear(18, CLASSES)

        def forward(self, x: Any) -> Any:
            for _ in range(3):
                x = torch.tanh(self.norm(self.b(self.a(x))))
                x = x + torch.tanh(self.wide(self.conv(x)))
            x = x + self.table(x.argmax(-1)) + self.table(x.argmin(-1))
            return self.head(x.flatten(1))

    torch.manual_seed(9)
    x = torch.randn(6, 3, 6)
    model = randomised(Shared(), x)
    y = labels_for(x)
    agrees(model, x, y, by_loop(model, x, y))


def test_sequences_first_and_rows_side_by_side() -> None:
    class Turned(nn.Module):
        """Examples on the second axis, then folded with the sequence, then folded for a convolution."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm = nn.Linear(6, 6), nn.LayerNorm(6)
            self.second, self.batch = nn.Linear(6, 6), nn.BatchNorm1d(6)
            self.conv = nn.Conv1d(1, 2, 3)
            self.head = nn.Linear(8, CLASSES)

        def forward(self, x: Any) -> Any:
            x = self.norm(torch.tanh(self.first(x.transpose(0, 1)))).transpose(0, 1)
            rows = torch.tanh(self.batch(self.second(x.reshape(-1, 6))))
            rows = self.conv(rows[:, None]).flatten(1)
            return self.head(rows).view(len(x), -1, CLASSES).sum(1)

    torch.manual_seed(10)
    x = torch.randn(8, 4, 6)  # as long as a batch
    model = randomised(Turned(), x)
    agrees(model, x, labels_for(x))


def test_rows_that_are_not_side_by_side_are_noticed() -> None:
    class Interleaved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.head = nn.Linear(6, 6), nn.Linear(6, CLASSES)

        def forward(self, x: Any) -> Any:
            rows = torch.tanh(self.first(x.transpose(0, 1).reshape(-1, 6)))
            return self.head(rows.view(-1, len(x), 6).sum(0))

    torch.manual_seed(10)
    x = torch.randn(8, 3, 6)
    model = randomised(Interleaved(), x)
    with pytest.raises(
        ModelError, match="first.weight: its rule disagrees with an ordinary backward"
    ):
        grand(model, batches(x, labels_for(x)))
    agrees(model, x, labels_for(x), fallback="loop")


def test_examples_that_meet_are_noticed() -> None:
    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.head = nn.Linear(6, 6), nn.Linear(6, CLASSES)

        def forward(self, x: Any) -> Any:
            x = self.first(x)
            return self.head(torch.tanh(x - x.mean(0)))

    class Lucky(Centred):
        def forward(self, x: Any) -> Any:
            return self.head(F.dropout(self.first(x)))

    torch.manual_seed(11)
    x = torch.randn(8, 6)
    for model in (Centred(), Lucky()):
        with pytest.raises(ModelError, match="must not depend on chance"):
            grand(model, batches(x, labels_for(x)))
    unknown = nn.Sequential(
        nn.Linear(6, CLASSES), nn.BatchNorm1d(CLASSES, track_running_stats=False)
    )
    with pytest.raises(ModelError, match="1.weight: without running statistics"):
        grand(unknown, batches(x, labels_for(x)))


def test_frozen_parameters_are_left_out_and_said_so(resnet: tuple[nn.Module, Any, Any]) -> None:
    model, x, y = resnet
    model.stem.requires_grad_(False)
    model.fc.bias.requires_grad_(False)
    with pytest.warns(
        FrozenParametersWarning, match=r"4 frozen ones are left out: stem.0.weight, .*fc.bias"
    ):
        agrees(model, x, y)
    model.requires_grad_(False)
    with pytest.raises(ModelError, match="no parameter trains"):
        grand(model, batches(x, y))


def state_of(model: nn.Module) -> dict[str, Any]:
    return {
        "modes": [module.training for module in model.modules()],
        "hooks": [
            len(module._forward_hooks)
            + len(module._forward_pre_hooks)
            + len(module._backward_hooks)
            for module in model.modules()
        ],
        "trains": [p.requires_grad for p in model.parameters()],
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "buffers": [b.clone() for b in model.buffers()],
        "values": [p.detach().clone() for p in model.parameters()],
    }


def same(before: dict[str, Any], after: dict[str, Any]) -> None:
    for key in before:
        for a, b in zip(before[key], after[key], strict=True):
            assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, key


def test_the_model_is_as_before(resnet: tuple[nn.Module, Any, Any]) -> None:
    model, x, y = resnet
    model.train()
    model.blocks[1].eval()
    F.cross_entropy(model(x), y).backward()
    model.fc.bias.grad = None
    before = state_of(model)

    def broken(logits: Any, labels: Any) -> Any:
        raise KeyError("a loss that fails")

    for scope in ("all", "last-layer"):
        grand(model, batches(x, y), scope=scope)
        same(before, state_of(model))
        with pytest.raises(KeyError):
            grand(model, batches(x, y), scope=scope, loss=broken)
        same(before, state_of(model))
        with pytest.raises(RuntimeError):
            grand(model, [(x, y), (x[:, :2], y)], scope=scope)
        same(before, state_of(model))
    assert torch.is_grad_enabled()
    with torch.no_grad():
        first = grand(model, batches(x, y))
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        np.testing.assert_array_equal(grand(model, batches(x, y)), first)


def test_user_hooks_stay_and_count(resnet: tuple[nn.Module, Any, Any]) -> None:
    """The output of a layer is what its forward pass gives, before the user's hooks."""
    model, x, y = resnet
    handles = [
        model.blocks[0].conv1.register_forward_hook(lambda module, args, out: 2 * out),
        model.blocks[1].conv1.register_forward_pre_hook(lambda module, args: (3 * args[0],)),
    ]
    agrees(model, x, y, by_loop(model, x, y))
    for handle in handles:
        handle.remove()


def test_losses_of_other_kinds() -> None:
    torch.manual_seed(12)
    x = torch.randn(6, 5)
    model = nn.Linear(5, 1)
    y = torch.randn(6, 1)
    squared = lambda out, y: (out - y).square().sum(1)  # noqa: E731
    found = grand(model, batches(x, y), loss=squared)
    residual = (model(x) - y).detach()[:, 0]
    by_hand = 2 * residual.abs() * (1 + x.square().sum(1)).sqrt()
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)

    with pytest.raises(LossError, match=r'it is \(\): use reduction="none"'):
        grand(model, batches(x, y), loss=F.mse_loss)
    soft = torch.rand(6, CLASSES).softmax(1)
    agrees(nn.Linear(5, CLASSES), x, soft)


def test_sure_examples_keep_their_small_norms() -> None:
    """Of two classes with logits 0 and m the error vector is 1 / (1 + exp(m)) times (-1, 1)."""
    model = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0], [1.0]]))
    x = torch.tensor([[-30.0], [3.0], [20.0], [40.0]])
    found = grand(model, [(x, torch.ones(4, dtype=torch.long))])
    x = x[:, 0].double().numpy()
    np.testing.assert_allclose(found, np.sqrt(2) * np.abs(x) / (1 + np.exp(x)), rtol=1e-5)


def test_ids_place_the_norms() -> None:
    torch.manual_seed(13)
    x, model = torch.randn(4, 5), nn.Linear(5, CLASSES)
    y = labels_for(x)
    plain = grand(model, [(x, y)])
    ids = torch.tensor([3, 0, 5, 1])
    found = grand(model, [(x, y, ids)])
    assert len(found) == 6 and np.isnan(found[[2, 4]]).all()
    np.testing.assert_allclose(found[ids], plain, rtol=1e-6)
    assert len(grand(model, [(x, y, ids)], examples=9)) == 9
    as_mapping = {"input": x, "labels": y, "ids": ids}
    np.testing.assert_array_equal(grand(model, [as_mapping]), found)
    with pytest.raises(BatchError, match="id 5 is not in 0 to 3"):
        grand(model, [(x, y, ids)], examples=4)
    with pytest.raises(BatchError, match="id 3 came twice"):
        grand(model, [(x, y, ids), (x, y, ids + 3)])
    with pytest.raises(BatchError, match="some batches have ids"):
        grand(model, [(x, y, ids), (x, y)])
    with pytest.raises(BatchError, match="whole numbers"):
        grand(model, [(x, y, ["a", "b", "c", "d"])])
    with pytest.raises(BatchError, match='no "labels"'):
        grand(model, [{"input": x}])
    with pytest.raises(BatchError, match="yields a Tensor"):
        grand(model, [x])
    assert grand(model, []).shape == (0,)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("row", [3, 4])
def test_examples_whose_gradients_are_not_finite_are_named(bad: float, row: int) -> None:
    torch.manual_seed(14)
    x, model = torch.randn(6, 5), nn.Linear(5, CLASSES)
    y = labels_for(x)
    x[row, 2] = bad
    with pytest.raises(NonFiniteError, match=f"those of place {row} in the loader") as caught:
        grand(model, batches(x, y), loss=confused)
    assert (caught.value.rows, caught.value.ids, caught.value.total) == ([row], None, 1)
    ids = torch.tensor([5, 7, 9, 11, 13, 15])
    with pytest.raises(NonFiniteError, match=f"those of id {ids[row]}; look") as caught:
        grand(model, [(x, y, ids)], loss=confused)
    assert caught.value.ids == [int(ids[row])]


def confused(logits: Any, labels: Any) -> Any:
    """A loss whose gradient does not vanish where the logits are large."""
    return logits.square().sum(1)


def test_weights_that_are_not_finite_are_refused() -> None:
    model = nn.Linear(5, CLASSES)
    with torch.no_grad():
        model.weight[0, 0] = float("nan")
    x = torch.randn(9, 5)
    with pytest.raises(NonFiniteError, match="9 of the batch's 9 .* place 0, 1, 2, 3, 4 in.* …"):
        grand(model, [(x, labels_for(x))])


@pytest.mark.parametrize("label", [CLASSES, -100, -1])
def test_labels_that_are_no_classes_are_named(label: int) -> None:
    x, model = torch.randn(6, 5), nn.Linear(5, CLASSES)
    y = labels_for(x)
    y[5] = label
    text = f"has label {label}, but the model gives {CLASSES} classes"
    with pytest.raises(LabelError, match=f"place 5 in the loader's order, from 0 {text}") as caught:
        grand(model, batches(x, y))
    found = caught.value
    assert (found.row, found.id, found.label, found.classes) == (5, None, label, CLASSES)
    with pytest.raises(LabelError, match=f"the example of id 8 {text}") as caught:
        grand(model, [(x, y, torch.arange(3, 9))])
    assert caught.value.id == 8
    # What another loss makes of its labels is its own affair.
    ignoring = nn.CrossEntropyLoss(reduction="none", ignore_index=label)
    assert grand(model, batches(x, y), loss=ignoring)[5] == 0


def test_labels_that_are_floats_are_refused() -> None:
    x, model = torch.randn(6, 5), nn.Linear(5, CLASSES)
    y = labels_for(x)
    with pytest.raises(LabelError, match=r"labels are torch.float32; .*labels.long\(\)"):
        grand(model, batches(x, y.float()))
    one_hot = F.one_hot(y, CLASSES).float()
    np.testing.assert_allclose(grand(model, [(x, one_hot)]), grand(model, [(x, y)]), rtol=1e-5)
    np.testing.assert_array_equal(grand(model, [(x, y.byte())]), grand(model, [(x, y)]))


def test_double_and_half_precision(resnet: tuple[nn.Module, Any, Any]) -> None:
    model, x, y = resnet
    expected = reference(model, x, y)
    with torch.autocast("cpu", torch.bfloat16):
        np.testing.assert_allclose(grand(model, batches(x, y)), expected, rtol=0.1)
    found = grand(model.double(), batches(x.double(), y))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    model.bfloat16()
    np.testing.assert_allclose(grand(model, batches(x.bfloat16(), y)), expected, rtol=0.15)


def test_wrapped_models(resnet: tuple[nn.Module, Any, Any]) -> None:
    model, x, y = resnet
    expected = grand(model, batches(x, y))
    np.testing.assert_array_equal(grand(nn.DataParallel(model), batches(x, y)), expected)
    np.testing.assert_array_equal(grand(torch.compile(model), batches(x, y)), expected)


def test_little_memory_gives_the_same(resnet: tuple[nn.Module, Any, Any], monkeypatch: Any) -> None:
    model, x, y = resnet
    expected = grand(model, batches(x, y))
    monkeypatch.setattr("datadiet.torch.passes.SCRATCH", {"cpu": 1})
    np.testing.assert_allclose(grand(model, batches(x, y)), expected, rtol=1e-5)


def test_an_input_changed_after_its_use_is_noticed() -> None:
    class Changed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = nn.Linear(5, 5), nn.Linear(5, CLASSES)

        def forward(self, x: Any) -> Any:
            x = 2 * x
            out = self.inner(x)
            x += 1
            return self.head(out)

    model = Changed()
    x, y = torch.randn(3, 5), torch.tensor([0, 1, 2])
    with pytest.raises(ModelError, match="the input of inner is changed in place"):
        grand(model, [(x, y)])


class Experts(nn.Module):
    """Which layers are called, and with how many rows, depends on the batch."""

    def __init__(self, experts: int = 2) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(5, 6) for _ in range(experts))
        self.out = nn.Linear(6, CLASSES)

    def forward(self, x: Any) -> Any:
        tokens = x.flatten(0, -2)
        chosen = tokens[:, : len(self.experts)].argmax(1)
        hidden = tokens.new_zeros(len(tokens), 6)
        for number, expert in enumerate(self.experts):
            rows = (chosen == number).nonzero()[:, 0]
            if len(rows):
                hidden = hidden.index_put((rows,), expert(tokens[rows]))
        hidden = hidden.view(*x.shape[:-1], 6)
        return self.out(hidden.mean(1) if x.dim() == 3 else hidden)


@pytest.mark.parametrize("shape", [(13, 5), (13, 3, 5), (13, 1, 5)])
def test_a_mixture_of_experts_needs_the_loop(shape: tuple[int, ...]) -> None:
    torch.manual_seed(5)
    model, x = Experts(), torch.randn(*shape)
    y = labels_for(x)
    with pytest.raises(ModelError, match='(?s)experts.*pass fallback="'):
        grand(model, batches(x, y))
    with pytest.raises(ModelError, match='fallback="loop"'):
        grand(model, batches(x, y), fallback="vmap")
    agrees(model, x, y, by_loop(model, x, y), fallback="loop")


def test_experts_that_get_as_many_rows_as_there_are_examples_are_noticed() -> None:
    """Four rows for an expert, two of them of one example: a row for each would be wrong."""
    model, x = Experts(), torch.zeros(4, 2, 5)
    x[:, :, 2:] = torch.randn(4, 2, 3)
    # Expert 0 gets one token of the first and the last example, two of the second, none of the third.
    x[:, :, 1] = torch.tensor([[0, 1], [0, 0], [1, 1], [0, 1]])
    y = labels_for(x)
    with pytest.raises(ModelError, match="depends on the example"):
        grand(model, [(x, y)])
    found = grand(model, [(x, y)], fallback="loop")
    np.testing.assert_allclose(found, by_loop(model, x, y), rtol=1e-4)


def test_experts_that_only_a_later_batch_calls() -> None:
    torch.manual_seed(6)
    model, x = Experts(3), torch.randn(12, 5)
    x[:4, 0] = 9.0
    y = labels_for(x)
    with pytest.raises(ModelError, match='in this batch.*fallback="loop"'):
        grand(model, batches(x, y))
    agrees(model, x, y, by_loop(model, x, y), fallback="loop")


def test_tied_parameters_with_the_fallback() -> None:
    class Own(nn.Embedding):
        def forward(self, x: Any) -> Any:
            return F.embedding(x, torch.tanh(self.weight))

    torch.manual_seed(4)
    x, y = torch.randint(11, (6, 5)), torch.randint(11, (6, 5))
    model = Attention(True, "widened")
    model.tokens = Own(11, 8)
    model.head.weight = model.tokens.weight
    model = randomised(model, x)
    expected = by_loop(model, x, y, next_token)
    for fallback in ("vmap", "loop"):
        found = grand(model, batches(x, y), loss=next_token, fallback=fallback)
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    with pytest.raises(ModelError) as caught:
        grand(model, batches(x, y), loss=next_token)
    assert set(caught.value.parameters) == {"tokens.weight", "places.weight"}


def test_unused_parameters_add_nothing() -> None:
    torch.manual_seed(15)
    x = torch.randn(6, 5)
    y = labels_for(x)
    model = nn.Module()
    model.used, model.unused = nn.Linear(5, CLASSES), nn.Linear(3, 3)
    model.forward = lambda x: model.used(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = grand(model, batches(x, y))
    np.testing.assert_allclose(found, reference(model.used, x, y), rtol=1e-4)


class ScaledByRms(nn.Module):
    """An RMS norm of somebody's own, which its rule is tried on."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), 1e-6

    def forward(self, x: Any) -> Any:
        return self.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)


@pytest.mark.parametrize("fallback", [None, "vmap"])
def test_the_default_device_is_no_matter(fallback: Any, tmp_path: Path) -> None:
    """As where `torch.set_default_device("cuda")` was called: what is ours never lies there by chance."""
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 8), ScaledByRms(8)
    )
    loader = batches(torch.randn(6, 3, 6, 6), torch.randint(CLASSES, (6,)))
    expected = grand(model, loader, fallback=fallback)
    dependence = str(check(model, loader[0]))
    grad(model, loader, tmp_path / "one", projection=(16, 0), fallback=fallback)
    with torch.device("meta"):
        np.testing.assert_array_equal(grand(model, loader, fallback=fallback), expected)
        assert str(check(model, loader[0])) == dependence
        grad(model, loader, tmp_path / "other", projection=(16, 0), fallback=fallback)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_arguments_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="fallback='magic' is not one of vmap, loop"):
        grand(nn.Linear(1, 2), [], fallback="magic")
    with pytest.raises(ValueError, match="scope='some' is neither"):
        grand(nn.Linear(1, 2), [], scope="some")
