"""GraNd, projections and the check of models of transformers and peft, against a backward pass an example.

The expected gradients are those of the models' own losses (``model(..., labels=...)``), of each example
alone and without padding.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from torch import nn  # noqa: E402

from datadiet import LabelError, NonFiniteError  # noqa: E402
from datadiet.torch import (  # noqa: E402
    BatchError,
    FrozenParametersWarning,
    LossError,
    ModelError,
    Projection,
    TokenLoss,
    check,
    grad,
    grand,
)

torch.set_num_threads(1)

WORDS = 53
LENGTHS = [9, 5, 12, 7, 12]
CAUSAL = TokenLoss("mean", shift=True)


def randomised(model: nn.Module) -> Any:
    """With parameters that hide nothing: no scale of one, no shift of zero, attention that attends."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2 + 0.3 * torch.randn_like(parameter))
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def decoder(kind: str, **more: Any) -> Any:
    """A tiny causal model with random weights."""
    torch.manual_seed(0)
    if kind == "GPT2":
        config = transformers.GPT2Config(
            vocab_size=WORDS, n_positions=64, n_embd=16, n_layer=2, n_head=2, **more
        )
        return randomised(transformers.GPT2LMHeadModel(config))
    if kind == "OPT":
        config = transformers.OPTConfig(
            vocab_size=WORDS, hidden_size=16, num_hidden_layers=2, ffn_dim=24, num_attention_heads=2,
            max_position_embeddings=64, word_embed_proj_dim=16,
        )  # fmt: skip
        return randomised(transformers.OPTForCausalLM(config))
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=WORDS,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=64,
        pad_token_id=0,
        **more,
    )
    return randomised(getattr(transformers, f"{kind}ForCausalLM")(config))


def texts() -> list[Any]:
    torch.manual_seed(1)
    return [torch.randint(1, WORDS, (length,)) for length in LENGTHS]


def padded(rows: list[Any], labels: list[Any] | None = None, left: bool = False) -> dict[str, Any]:
    """A batch as collators make it."""
    longest = max(map(len, rows))

    def put(values: list[Any], fill: int) -> Any:
        short = [longest - len(value) for value in values]
        return torch.stack(
            [
                nn.functional.pad(value, (n, 0) if left else (0, n), value=fill)
                for value, n in zip(values, short, strict=True)
            ]
        )

    return {
        "input_ids": put(rows, 0),
        "attention_mask": put([torch.ones_like(row) for row in rows], 0),
        "labels": put(labels or rows, -100),
    }


def gradients(model: Any, losses: list[Any]) -> Any:
    """Each loss's gradient, in one row an example, in the order of the parameters that train."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    rows = []
    for loss in losses:
        found = torch.autograd.grad(loss(), parameters, allow_unused=True)
        rows.append(
            torch.cat(
                [
                    (torch.zeros_like(p) if g is None else g).flatten()
                    for p, g in zip(parameters, found, strict=True)
                ]
            )
        )
    return torch.stack(rows).double()


def one_by_one(
    model: Any,
    rows: list[Any],
    labels: list[Any] | None = None,
    reduction: str = "mean",
    shift: int = 1,
) -> Any:
    """Gradients of the model's own mean loss, of each text alone."""

    def loss_of(row: Any, label: Any) -> Any:
        mean = model(input_ids=row[None], labels=label[None]).loss
        return mean if reduction == "mean" else mean * (label[shift:] != -100).sum()

    pairs = zip(rows, labels or rows, strict=True)
    return gradients(model, [lambda r=r, y=y: loss_of(r, y) for r, y in pairs])


def norms(found: Any) -> Any:
    return found.norm(dim=1).numpy()


def agree(found: Any, expected: Any, rtol: float = 1e-4) -> None:
    np.testing.assert_allclose(found, norms(expected), rtol=rtol)


DECODERS = {
    "GPT2, tied": ("GPT2", {}),
    "GPT2, untied": ("GPT2", {"tie_word_embeddings": False}),
    "Llama": ("Llama", {}),
    "Llama, tied": ("Llama", {"tie_word_embeddings": True, "attention_bias": True}),
    "Llama, eager": ("Llama", {"attn_implementation": "eager"}),
    "Qwen2": ("Qwen2", {}),
    "Qwen3": ("Qwen3", {"tie_word_embeddings": True}),
    "Gemma": ("Gemma", {}),
    "OPT": ("OPT", {}),
    "Mistral": ("Mistral", {"sliding_window": 4}),
}


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_causal_models_with_padding(name: str, reduction: Any) -> None:
    kind, more = DECODERS[name]
    model, rows = decoder(kind, **more), texts()
    labels = [row.clone() for row in rows]
    labels[2][:6] = -100  # as of a prompt
    expected = one_by_one(model, rows, labels, reduction)
    loss = TokenLoss(reduction, shift=True)
    batches = [padded(rows[:3], labels[:3]), padded(rows[3:], labels[3:])]
    agree(grand(model, batches, loss=loss), expected)


def test_padding_on_the_left() -> None:
    model, rows = decoder("Llama"), texts()
    labels = [row.clone() for row in rows]
    for label in labels:
        label[0] = -100  # or it would count, as what padding predicts
    batch = padded(rows, labels, left=True)
    batch["position_ids"] = (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
    agree(grand(model, [batch], loss=CAUSAL), one_by_one(model, rows))


def test_the_sum_and_the_mean_are_a_choice() -> None:
    model = decoder("GPT2")
    with pytest.raises(LossError, match=r'loss=TokenLoss\("mean", shift=True\)'):
        grand(model, [padded(texts())])
    with pytest.raises(TypeError):
        TokenLoss()  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="reduction='max' is not one of sum, mean"):
        TokenLoss("max", shift=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("tied", [True, False])
def test_masked_language_model(tied: bool) -> None:
    """BERT's head has a bias that is also its decoder's."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=WORDS,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=32,
        tie_word_embeddings=tied,
    )
    model, rows = randomised(transformers.BertForMaskedLM(config)), texts()
    labels = [torch.where(torch.arange(len(row)) % 3 == 1, row, -100) for row in rows]
    expected = one_by_one(model, rows, labels, "sum", shift=0)
    found = grand(model, [padded(rows, labels)], loss=TokenLoss("sum", shift=False))
    agree(found, expected)


@pytest.mark.parametrize("kind", ["Bert", "DistilBert", "Roberta", "ModernBert"])
def test_encoders_that_classify(kind: str) -> None:
    torch.manual_seed(0)
    small = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    if kind == "DistilBert":
        small = dict(dim=16, n_layers=2, n_heads=2, hidden_dim=24)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=WORDS, max_position_embeddings=32, num_labels=3, pad_token_id=0, **small
    )
    model = randomised(getattr(transformers, f"{kind}ForSequenceClassification")(config))
    rows, classes = texts(), torch.tensor([0, 2, 1, 1, 0])
    batch = padded(rows) | {"labels": classes}
    losses = [
        lambda row=row, label=label: model(input_ids=row[None], labels=label[None]).loss
        for row, label in zip(rows, classes, strict=True)
    ]
    agree(grand(model, [batch]), gradients(model, losses))


@pytest.mark.parametrize("kind", ["ViT", "Dinov2"])
def test_vision_transformers(kind: str) -> None:
    """Class tokens, tables of positions and scales of layers are parameters without a layer."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        image_size=8,
        patch_size=4,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        num_labels=3,
    )
    model = randomised(getattr(transformers, f"{kind}ForImageClassification")(config))
    if kind == "Dinov2":  # used for masked images alone
        model.dinov2.embeddings.mask_token.requires_grad_(False)
    images, classes = torch.randn(5, 3, 8, 8), torch.tensor([0, 2, 1, 1, 0])
    losses = [
        lambda image=image, label=label: model(pixel_values=image[None], labels=label[None]).loss
        for image, label in zip(images, classes, strict=True)
    ]
    batches = [
        {"pixel_values": images[some], "labels": classes[some]}
        for some in (slice(0, 3), slice(3, 5))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FrozenParametersWarning)
        agree(grand(model, batches), gradients(model, losses))


@pytest.mark.parametrize("kind", ["GPT2", "Llama"])
def test_lora_over_a_frozen_model(kind: str) -> None:
    peft = pytest.importorskip("peft")
    base = decoder(kind)
    targets = ["c_attn", "c_fc"] if kind == "GPT2" else ["q_proj", "v_proj", "down_proj"]
    settings = peft.LoraConfig(
        r=3, lora_alpha=8, target_modules=targets, task_type="CAUSAL_LM", lora_dropout=0.1,
        fan_in_fan_out=kind == "GPT2",
    )  # fmt: skip
    model = peft.get_peft_model(base, settings)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:  # zero at the start, which would hide A
                parameter.normal_(0, 0.2)
    rows = texts()
    expected = one_by_one(model.eval(), rows)
    assert expected.shape[1] == sum(p.numel() for p in model.parameters() if p.requires_grad)
    with pytest.warns(FrozenParametersWarning, match="GraNd is over the .* parameters that train"):
        agree(grand(model, [padded(rows)], loss=CAUSAL), expected)


def test_adapters_that_use_their_matrices_otherwise_need_the_loop() -> None:
    """DoRA takes the norm of its weights: no parameter that trains has a rule."""
    peft = pytest.importorskip("peft")
    settings = peft.LoraConfig(r=3, target_modules=["down_proj"], use_dora=True)
    model, rows = peft.get_peft_model(decoder("Llama"), settings).eval(), texts()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2)
    expected = one_by_one(model, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FrozenParametersWarning)
        with pytest.raises(ModelError, match="lora_magnitude_vector"):
            grand(model, [padded(rows)], loss=CAUSAL)
        agree(grand(model, [padded(rows)], loss=CAUSAL, fallback="loop"), expected)


def packed_rows(rows: list[Any], labels: list[Any] | None = None) -> dict[str, Any]:
    """The first three texts in one row, the others in another, with padding after them."""
    groups, longest = (slice(0, 3), slice(3, 5)), sum(map(len, rows[:3]))
    width = longest + 2

    def put(values: list[Any], fill: int) -> Any:
        joined = [torch.cat(values[some]) for some in groups]
        return torch.stack(
            [nn.functional.pad(row, (0, width - len(row)), value=fill) for row in joined]
        )

    return {
        "input_ids": put(rows, 0),
        "labels": put(labels or rows, -100),
        "position_ids": put([torch.arange(len(row)) for row in rows], 0),
        "segment_ids": put([torch.full_like(row, n) for n, row in enumerate(rows)], -1),
    }


@pytest.mark.parametrize("kind", ["GPT2", "Llama", "Qwen3"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_packed_rows_by_segments(kind: str, reduction: Any) -> None:
    model, rows = decoder(kind), texts()
    labels = [row.clone() for row in rows]
    labels[1][:2] = -100
    expected = one_by_one(model, rows, labels, reduction)
    batch = packed_rows(rows, labels)
    loss = TokenLoss(reduction, shift=True)
    agree(grand(model, [batch], loss=loss, packed="segment_ids"), expected)
    with pytest.raises(BatchError, match="segment_ids says that rows hold several examples"):
        grand(model, [batch], loss=loss)
    ids = torch.tensor([4, 2, 0, 1, 3])
    found = grand(model, [batch | {"ids": ids}], loss=loss, packed="segment_ids")
    agree(found[ids], expected)


def test_rows_of_transformers_own_collator() -> None:
    """All texts in one row, with positions that start again and no label at a text's first token."""
    model, rows = decoder("Llama"), texts()
    collate = transformers.DataCollatorWithFlattening()
    batch = collate([{"input_ids": row.tolist()} for row in rows], return_tensors="pt")
    expected = one_by_one(model, rows)
    agree(grand(model, [dict(batch)], loss=CAUSAL, packed="position_ids"), expected)
    with pytest.raises(BatchError, match="position_ids says that rows hold several examples"):
        grand(model, [dict(batch)], loss=CAUSAL)


def test_attention_across_the_examples_of_a_row_is_noticed() -> None:
    """In a model that has not learned anything too, where little crosses."""
    model, rows = decoder("Llama"), texts()
    batch = packed_rows(rows)
    del batch["position_ids"]
    fresh = transformers.LlamaForCausalLM(model.config)
    with pytest.raises(ModelError, match="attends across examples"):
        grand(fresh, [batch], loss=CAUSAL, packed="segment_ids")
    with pytest.raises(ModelError, match="attends across examples"):
        grand(model, [batch], loss=CAUSAL, packed="segment_ids")
    with pytest.raises(LossError, match="a loss that adds up tokens"):
        grand(model, [batch], packed="segment_ids")
    with pytest.raises(BatchError, match="packed='seq_idx', but the batch has input_ids"):
        grand(model, [batch], loss=CAUSAL, packed="seq_idx")
    batch["segment_ids"][0, 0] = 1
    with pytest.raises(BatchError, match="in row 0 a number of segment_ids comes back"):
        grand(model, [batch], loss=CAUSAL, packed="segment_ids")


def test_labels_that_cannot_be_meant() -> None:
    model, rows = decoder("GPT2"), texts()
    labels = [row.clone() for row in rows]
    labels[3][1:] = -100  # the first token is nobody's next
    with pytest.raises(LabelError, match="1 of the batch's 5 examples .*place 3 .*leave them out"):
        grand(model, [padded(rows, labels)], loss=CAUSAL)
    packed = packed_rows(rows, labels)
    with pytest.raises(LabelError, match="those of id 30;"):
        ids = torch.tensor([0, 10, 20, 30, 40])
        grand(model, [packed | {"ids": ids}], loss=CAUSAL, packed="segment_ids")
    labels[3] = rows[3].clone()
    labels[4][2] = WORDS
    with pytest.raises(
        LabelError, match=f"place 4 .* token with label {WORDS}, .* {WORDS} classes"
    ):
        grand(model, [padded(rows, labels)], loss=CAUSAL)
    with torch.no_grad():
        model.transformer.h[0].mlp.c_fc.weight[0, 0] = torch.nan
    with pytest.raises(NonFiniteError, match="5 of the batch's 5 gradient norms"):
        grand(model, [padded(rows)], loss=lambda z, y: CAUSAL(z, y).nan_to_num(), fallback="loop")


@pytest.mark.parametrize("kind", ["Llama", "GPT2"])
def test_automatic_cast_to_bf16(kind: str) -> None:
    """Norms are sums in 32-bit floats: no worse than those of the cast passes themselves."""
    model, rows = decoder(kind), texts()
    exact = one_by_one(model, rows)
    with torch.autocast("cpu", torch.bfloat16):
        expected = one_by_one(model, rows)
        found = grand(model, [padded(rows)], loss=CAUSAL)
    np.testing.assert_allclose(found, norms(expected), rtol=0.05)
    np.testing.assert_allclose(found, norms(exact), rtol=0.05)


@pytest.mark.parametrize("kind", ["GPT2", "Llama"])
def test_gradient_checkpointing_of_transformers(kind: str) -> None:
    """Layers are called again in the backward pass, in evaluation mode, and the model is as before."""
    model, rows = decoder(kind), texts()
    expected = one_by_one(model, rows)
    model.gradient_checkpointing_enable()
    model.train()
    layers = model.transformer.h if kind == "GPT2" else model.model.layers
    calls = []
    handle = layers[0].mlp.register_forward_pre_hook(
        lambda *_: calls.append(torch.is_grad_enabled())
    )
    agree(grand(model, [padded(rows)], loss=CAUSAL), expected)
    handle.remove()
    once = len(calls)
    model.gradient_checkpointing_disable()
    handle = layers[0].mlp.register_forward_pre_hook(
        lambda *_: calls.append(torch.is_grad_enabled())
    )
    agree(grand(model, [padded(rows)], loss=CAUSAL), expected)
    handle.remove()
    assert once == len(calls) - once + 1
    assert model.training and model.config.use_cache
    assert not any("forward" in vars(layer) for layer in layers)


def test_checkpoints_of_ones_own_keep_no_inputs() -> None:
    from torch.utils.checkpoint import checkpoint

    class Deep(nn.Module):
        def __init__(self, reentrant: bool | None) -> None:
            super().__init__()
            self.layers = nn.ModuleList(
                nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Tanh()) for _ in range(3)
            )
            self.head, self.reentrant = nn.Linear(8, 4), reentrant

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                if self.reentrant is None:
                    x = layer(x)
                else:
                    x = checkpoint(layer, x, use_reentrant=self.reentrant)
            return self.head(x)

    torch.manual_seed(2)
    x, y = torch.randn(6, 3, 8), torch.randint(4, (6, 3))
    loss = TokenLoss("sum", shift=False)

    def run(reentrant: bool | None) -> tuple[Any, int]:
        """The norms, and how many tensors were kept outside of checkpointed layers."""
        torch.manual_seed(3)
        model, kept = Deep(reentrant), [0]

        def keep(tensor: Any) -> Any:
            kept[0] += 1
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            return grand(model, [(x, y)], loss=loss), kept[0]

    (plain, most), (again, few) = run(None), run(False)
    np.testing.assert_array_equal(plain, again)
    assert few < most / 2
    with pytest.raises(ModelError, match="checkpoint with use_reentrant=False"):
        grand(Deep(True), [(x.requires_grad_(), y)], loss=loss)


def test_a_loose_parameter_whose_copies_are_wrong_is_refused() -> None:
    """Copies fit, but their gradients are not the examples': the parameter is used for all at once, too."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.rand(4) + 0.5)
            self.head = nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            # The values of the parameter behind the back of every function that is watched.
            behind = x.new_tensor(self.scale.tolist())
            return self.head(torch.tanh(x[:, None] * self.scale)[:, 0] * behind)

    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.rand(4) + 0.5)
            self.head = nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            # Examples lie on the first axis of x and on the last but one of the product.
            mixed = (x.roll(1, 0)[:, None] * self.scale)[:, 0].roll(-1, 0)
            return self.head(mixed)

    torch.manual_seed(5)
    x, y = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    for model in (Twice(), Turned()):
        losses = [
            lambda model=model, n=n: nn.functional.cross_entropy(model(x[n : n + 1]), y[n : n + 1])
            for n in range(5)
        ]
        expected = gradients(model, losses)
        agree(grand(model, [(x, y)], fallback="loop"), expected)
    with pytest.raises(ModelError, match="scale: its rule disagrees"):
        grand(model, [(x, y)])


@pytest.mark.parametrize("kind", ["Mixtral", "Qwen3Moe"])
def test_mixtures_of_experts_need_the_loop(kind: str) -> None:
    more: dict[str, Any] = {"num_experts_per_tok": 2}
    if kind == "Mixtral":
        more |= {"num_local_experts": 4}
    else:
        more |= {"num_experts": 4, "moe_intermediate_size": 12, "decoder_sparse_step": 1}
    model, rows = decoder(kind, **more), texts()
    with pytest.raises(ModelError, match='(?s)experts.*fallback="loop"') as caught:
        grand(model, [padded(rows)], loss=CAUSAL)
    assert all("mlp" in name for name in caught.value.parameters)
    expected = one_by_one(model, rows)
    agree(grand(model, [padded(rows)], loss=CAUSAL, fallback="loop"), expected)
    packed = packed_rows(rows)
    found = grand(model, [packed], loss=CAUSAL, fallback="loop", packed="segment_ids")
    agree(found, expected)


def dense(projection: Projection, model: Any) -> Any:
    """The matrix for all parameters that train, side by side."""
    parts = [
        torch.from_numpy(projection.matrix(name, tuple(p.shape)))
        for name, p in model.named_parameters()
        if p.requires_grad
    ]
    return torch.cat(parts, 1).double()


@pytest.mark.parametrize("kind", ["GPT2", "Llama", "Mixtral", "ViT"])
def test_projections_are_the_gradients_times_the_matrix(kind: str, tmp_path: Any) -> None:
    """Tied and bare parameters, convolutions, and the loop's; in any batches."""
    fallback: Any = None
    if kind == "ViT":
        torch.manual_seed(0)
        config = transformers.ViTConfig(
            image_size=8, patch_size=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=24, num_labels=3,
        )  # fmt: skip
        model = randomised(transformers.ViTForImageClassification(config))
        images, classes = torch.randn(5, 3, 8, 8), torch.tensor([0, 2, 1, 1, 0])
        losses = [
            lambda n=n: model(pixel_values=images[n : n + 1], labels=classes[n : n + 1]).loss
            for n in range(5)
        ]
        expected = gradients(model, losses)
        whole = [{"pixel_values": images, "labels": classes}]
        split = [{"pixel_values": images[n:n+2], "labels": classes[n:n+2]} for n in (0, 2, 4)]  # fmt: skip
        loss: Any = {}
    else:
        more = {"num_local_experts": 3} if kind == "Mixtral" else {}
        fallback = "loop" if kind == "Mixtral" else None
        model, rows = decoder(kind, **more), texts()
        expected = one_by_one(model, rows)
        whole, split = [padded(rows)], [padded(rows[:2]), padded(rows[2:])]
        loss = {"loss": CAUSAL}
    products = (expected @ dense(Projection(24, 7), model).T).numpy()
    size = np.abs(products).max()
    path = tmp_path / "gradients.npy"
    for batches in (whole, split):
        found = grad(model, batches, path, projection=(24, 7), fallback=fallback, **loss)
        assert isinstance(found, np.memmap) and found.dtype == np.float32
        np.testing.assert_allclose(found, products, rtol=1e-3, atol=1e-5 * size)
        np.testing.assert_array_equal(np.load(path), found)
    other = grad(
        model, whole, tmp_path / "other.npy", projection=(24, 8), fallback=fallback, **loss
    )
    assert not np.allclose(other, found, rtol=0.1)


def test_projections_by_id_and_what_is_missing(tmp_path: Any) -> None:
    model, rows = decoder("GPT2"), texts()
    path = tmp_path / "gradients.npy"
    plain = np.array(grad(model, [padded(rows)], path, projection=(8, 0), loss=CAUSAL))
    ids = torch.tensor([6, 0, 3, 1, 5])
    batch = padded(rows) | {"ids": ids}
    found = grad(model, [batch], path, projection=(8, 0), loss=CAUSAL, examples=9)
    np.testing.assert_allclose(found[ids.numpy()], plain, rtol=1e-5, atol=1e-6)
    assert found.shape == (9, 8) and np.isnan(found[[2, 4, 7, 8]]).all()
    before = np.array(found)
    with pytest.raises(BatchError, match="id 6 is not in 0 to 5"):
        grad(model, [batch], path, projection=(8, 0), loss=CAUSAL, examples=6)
    np.testing.assert_array_equal(np.load(path), before)
    assert [entry.name for entry in tmp_path.iterdir()] == ["gradients.npy"]
    assert grad(model, [], path, projection=(8, 0), loss=CAUSAL).shape == (0, 8)
    with pytest.raises(ValueError, match="pass dim of 1 or more"):
        grad(model, [batch], path, projection=(0, 0), loss=CAUSAL)


def test_projections_of_packed_rows(tmp_path: Any) -> None:
    model, rows = decoder("Qwen3"), texts()
    expected = one_by_one(model, rows) @ dense(Projection(16, 1), model).T
    found = grad(
        model, [packed_rows(rows)], tmp_path / "g.npy", projection=(16, 1), loss=CAUSAL,
        packed="segment_ids",
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * expected.abs().max())


def test_projections_keep_inner_products_on_average() -> None:
    """Over seeds the mean is the product itself; the spread is within the bound that is documented."""
    draw = torch.Generator().manual_seed(0)
    g, h = (torch.randn(6, 10, generator=draw) for _ in range(2))
    h = h + g
    dim = 32
    found = np.array(
        [
            float(p.of_gradient("w", g) @ p.of_gradient("w", h))
            for p in (Projection(dim, seed) for seed in range(400))
        ]
    )
    size = float(g.norm() * h.norm())
    bound = size * (9 / dim) ** 0.5
    assert abs(found.mean() - float((g * h).sum())) < 4 * bound / len(found) ** 0.5
    assert found.std() < bound


def test_signs_are_the_same_everywhere() -> None:
    """Bytes that a projection of today and one of another machine or year must share."""
    from datadiet.torch.projection import signs

    assert signs(2, 8, 0, "left of w").tolist() == SIGNS
    assert abs(signs(64, 1000, 3, "x").mean()) < 0.02


SIGNS = [[-1, -1, -1, 1, 1, 1, -1, 1], [1, 1, -1, 1, 1, 1, -1, 1]]


def test_check_of_a_language_model() -> None:
    model, rows = decoder("Llama"), texts()
    found = check(model, padded(rows), loss=CAUSAL, examples=3)
    assert found.examples == (0, 2, 4) and found.batch == 5
    assert not found.depends and found.chance == 0
    assert found.company.max() < 1e-5 and found.alone.max() < 1e-4
    assert "does not depend on its batch" in str(found) and "float32" in str(found)
    with torch.autocast("cpu", torch.bfloat16):
        cast = check(model, padded(rows), loss=CAUSAL, examples=3)
    assert "autocast to bfloat16" in str(cast)
    # The norm is that of the same gradients: its difference is no larger.
    assert (np.abs(cast.norm_alone) <= cast.alone + 1e-9).all()
    packed = packed_rows(rows)
    assert not check(model, packed, loss=CAUSAL, packed="segment_ids").depends
    del packed["position_ids"]
    crossing = check(model, packed, loss=CAUSAL, packed="segment_ids")
    assert crossing.company.max() > 0.01 and "depends on the other examples" in str(crossing)


def test_check_finds_batch_norm_chance_and_examples_that_meet() -> None:
    torch.manual_seed(4)
    x, y = torch.randn(8, 5), torch.arange(8) % 3
    model = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = check(model, (x, y))
    assert not found.depends and found.batch_norm is not None
    assert found.batch_norm_layers == ("1",) and (found.batch_norm > 0.01).all()
    assert "for the statistics of 1" in str(found) and "in training it does" in str(found)
    assert model.training and model[1].training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name

    class Meeting(nn.Module):
        def __init__(self, dropout: bool) -> None:
            super().__init__()
            self.first, self.head, self.dropout = nn.Linear(5, 6), nn.Linear(6, 3), dropout

        def forward(self, x: Any) -> Any:
            h = self.first(x)
            return self.head(
                nn.functional.dropout(h) if self.dropout else torch.tanh(h - h.mean(0))
            )

    meeting = check(Meeting(False), (x, y))
    assert meeting.depends and meeting.chance == 0 and meeting.company.max() > 0.01
    assert "depends on the other examples of its batch; most in" in str(meeting)
    chance = check(Meeting(True), (x, y))
    assert chance.chance > 0.01 and "depends on chance" in str(chance)
    with pytest.raises(BatchError, match="a batch of 1 examples has no others"):
        check(model, (x[:1], y[:1]))
