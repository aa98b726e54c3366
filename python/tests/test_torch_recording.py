"""Recording in PyTorch's training loops: plain, Lightning's and Hugging Face's; subsets."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.data import (  # noqa: E402
    BatchSampler,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from datadiet import DtypeError, IdError, ShapeError, StateError  # noqa: E402
from datadiet.torch import BatchError, Recorder, grand, indexed, subset  # noqa: E402
from datadiet.torch.first_presentations import FirstPresentations  # noqa: E402

EXAMPLES, CLASSES, EPOCHS = 23, 3, 3


@pytest.fixture
def train() -> TensorDataset:
    torch.manual_seed(0)
    return TensorDataset(torch.randn(EXAMPLES, 5), torch.randint(CLASSES, (EXAMPLES,)))


class Log:
    """What a loop saw: logits by epoch and id."""

    def __init__(self) -> None:
        self.logits = np.full((EPOCHS, EXAMPLES, CLASSES), np.nan, dtype=np.float32)

    def note(self, epoch: int, ids: Any, logits: Any) -> None:
        self.logits[epoch, ids.numpy()] = logits.detach().float().numpy()

    def check(self, recorder: Recorder, labels: Any) -> None:
        """The recorder's scores are those of the logits seen."""
        import datadiet

        assert recorder.epochs == EPOCHS and recorder.unfinished == 0
        assert (recorder.unseen == 0).all()
        table = recorder.table()
        labels = labels.numpy()
        assert not np.isnan(self.logits).any()
        for name in ("aum", "forgetting", "confidence"):
            expected = getattr(datadiet, name)(logits=self.logits, labels=labels)
            np.testing.assert_allclose(table[f"{name}@{EPOCHS}"], expected, rtol=1e-5, atol=1e-6)
        expected = datadiet.el2n(logits=self.logits[-1], labels=labels)
        np.testing.assert_allclose(table[f"el2n@{EPOCHS}"], expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_plain_loop(train: TensorDataset, dtype: Any, workers: int) -> None:
    model = nn.Linear(5, CLASSES, dtype=dtype)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    log, recorder = Log(), Recorder(len(train), CLASSES)
    loader = DataLoader(indexed(train), batch_size=4, shuffle=True, num_workers=workers)
    for epoch in range(EPOCHS):
        for inputs, labels, ids in loader:
            logits = model(inputs.to(dtype))
            F.cross_entropy(logits, labels).backward()
            optimiser.step()
            recorder.update(ids, logits, labels)
            log.note(epoch, ids, logits)
        recorder.end_epoch()
    log.check(recorder, train.tensors[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_only_the_first_presentation_in_an_epoch_is_recorded(dtype: Any) -> None:
    logits = torch.randn(6, 2).to(dtype)
    labels, ids = torch.tensor([0, 1, 0, 1, 0, 0]), torch.tensor([3, 1, 2, 1, 3, 0])
    recorder, strict = Recorder(4, 2), Recorder(4, 2)
    rows = FirstPresentations(recorder)
    for _ in range(2):
        rows.update(ids[:4], logits[:4], labels[:4])
        rows.update(ids[3:5], logits[3:5], labels[:2].flip(0))
        # Another process goes on from a checkpoint.
        state = rows.state_dict()
        rows = FirstPresentations(recorder := Recorder(4, 2))
        rows.load_state_dict(state)
        rows.update(ids[4:], logits[4:], labels[4:])
        rows.end_epoch()
        first = [0, 1, 2, 5]
        strict.update(ids[first], logits[first], labels[first])
        strict.end_epoch()
    assert rows.repeated == 2 * 4
    for name, values in strict.state_dict().items():
        np.testing.assert_array_equal(recorder.state_dict()[name], values, err_msg=name)


def test_what_is_no_batch_is_refused_as_by_the_recorder() -> None:
    rows = FirstPresentations(Recorder(4, 2))
    rows.update([0, 1], np.zeros((2, 2)), [0, 0])
    for ids, logits, labels, error in (
        ([0, 4], np.zeros((2, 2)), [0, 0], IdError),
        ([0, -1], np.zeros((2, 2)), [0, 0], IdError),
        ([0, 2], np.zeros((3, 2)), [0, 0], ShapeError),
        ([0, 2], np.zeros((2, 2)), [0, 0, 1], ShapeError),
        ([0, 2], np.zeros((2, 3)), [0, 0], ShapeError),
        ([0.5, 2], np.zeros((2, 2)), [0, 0], DtypeError),
    ):
        with pytest.raises(error):
            rows.update(ids, logits, labels)
    assert (rows.recorder.unfinished, rows.repeated) == (2, 0)
    rows.update([2, 3], np.zeros((2, 2)), [0, 0])


def test_scores_chosen_from_a_loop_make_a_subset(train: TensorDataset) -> None:
    import datadiet

    model = nn.Linear(5, CLASSES)
    scores = grand(model, DataLoader(indexed(train), batch_size=4, shuffle=True))
    np.testing.assert_allclose(scores, grand(model, DataLoader(train, batch_size=9)), rtol=1e-5)
    ids = datadiet.select(scores, keep=0.5)
    kept = subset(indexed(train), ids)
    assert [item[2] for item in kept] == ids.tolist()
    threshold = np.sort(scores)[-len(kept)]
    assert all(scores[item[2]] >= threshold for item in kept)


def test_grand_of_a_shuffled_loader_needs_ids(train: TensorDataset) -> None:
    class Bucketed(Sampler[Any]):
        """An order of its own, such as by length."""

        def __iter__(self) -> Any:
            return iter(range(len(train) - 1, -1, -1))

        def __len__(self) -> int:
            return len(train)

    class Mixed(BatchSampler):
        """Batches in an order of its own."""

        def __iter__(self) -> Any:
            return reversed([*super().__iter__()])

    model = nn.Linear(5, CLASSES)
    expected = grand(model, DataLoader(train, batch_size=4))
    weighted = WeightedRandomSampler([1.0] * EXAMPLES, EXAMPLES, replacement=False)
    for name, loading in (
        ("RandomSampler", {"batch_size": 4, "shuffle": True}),
        ("SubsetRandomSampler", {"sampler": SubsetRandomSampler(range(9))}),
        ("WeightedRandomSampler", {"sampler": weighted}),
        ("RandomSampler", {"batch_sampler": BatchSampler(RandomSampler(train), 4, False)}),
        ("DistributedSampler", {"sampler": DistributedSampler(train, 2, 0)}),
        ("DistributedSampler", {"sampler": DistributedSampler(train, 2, 0, shuffle=False)}),
        ("Bucketed", {"sampler": Bucketed()}),
        ("Mixed", {"batch_sampler": Mixed(SequentialSampler(train), 4, False)}),
    ):
        with pytest.raises(BatchError, match=f"order from a {name} and yields no ids"):
            grand(model, DataLoader(train, **loading))
        found = grand(model, DataLoader(indexed(train), **loading), examples=EXAMPLES)
        there = ~np.isnan(found)
        np.testing.assert_allclose(found[there], expected[there], rtol=1e-5)
    with pytest.raises(BatchError, match="in_order=False"):
        grand(model, DataLoader(train, batch_size=4, num_workers=2, in_order=False))
    rows = range(len(train))
    for loading in (
        {"batch_sampler": BatchSampler(SequentialSampler(train), 4, False)},
        {"batch_sampler": [[*rows[:9]], [*rows[9:]]]},
        {"sampler": rows},
        {"num_workers": 2, "batch_size": 4},
    ):
        found = grand(model, DataLoader(train, **loading))
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_grand_of_a_stream_is_in_its_order(train: TensorDataset) -> None:
    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Any:
            return iter(train)

    model = nn.Linear(5, CLASSES)
    found = grand(model, DataLoader(Stream(), batch_size=4))
    np.testing.assert_allclose(found, grand(model, DataLoader(train, batch_size=4)), rtol=1e-5)


def test_subsets_refuse_what_is_not_there(train: TensorDataset) -> None:
    assert len(subset(train, torch.tensor([4, 2]))) == 2
    assert torch.equal(subset(train, np.array([4, 2], dtype=np.uint32))[1][0], train[2][0])
    assert len(subset(train, [])) == 0
    for ids, message in (
        ([0, 23], "id 23 is not among the 23"),
        ([-1], "id -1"),
        ([1, 2, 1], "id 1 is given more"),
    ):
        with pytest.raises(IdError, match=message):
            subset(train, ids)
    with pytest.raises(DtypeError, match="whole numbers"):
        subset(train, [0.5])

    class Stream(IterableDataset):
        def __iter__(self) -> Any:
            return iter(train)

    for make in (indexed, lambda stream: subset(stream, [0])):
        with pytest.raises(DtypeError, match="Stream is a stream"):
            make(Stream())


def test_ids_of_all_kinds_of_items(train: TensorDataset) -> None:
    assert indexed(["a", "b"])[1] == ("b", 1)
    assert indexed([("a", 0), ("b", 1)])[-1] == ("b", 1, 1)
    assert indexed([{"x": 3}])[0] == {"x": 3, "ids": 0}
    with pytest.raises(BatchError, match='have "ids" already'):
        indexed([{"x": 3, "ids": 7}])[0]
    batch = next(iter(DataLoader(indexed(train), batch_size=4)))
    assert torch.equal(batch[2], torch.arange(4))


def lightning_model(note: Any = None) -> Any:
    """A linear model of tuples or mappings; `note` is called with each step's epoch, ids and logits."""
    lightning = pytest.importorskip("lightning")

    class Model(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(5, CLASSES)

        def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
            inputs, labels, ids = batch.values() if isinstance(batch, dict) else batch
            logits = self.layer(inputs)
            if note is not None:
                note(self.current_epoch, ids, logits)
            return {"loss": F.cross_entropy(logits, labels), "logits": logits}

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.log("fit", self.layer(batch[0]).mean())

        test_step = validation_step

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.5)

    return Model()


def lightning_trainer(folder: Any, *callbacks: Any, **kwargs: Any) -> Any:
    lightning = pytest.importorskip("lightning")
    arguments = {"max_epochs": EPOCHS, "accelerator": "cpu", "logger": False}
    arguments |= {"enable_progress_bar": False, "enable_model_summary": False}
    arguments |= {"num_sanity_val_steps": 0, "enable_checkpointing": False}
    return lightning.Trainer(callbacks=[*callbacks], default_root_dir=folder, **arguments | kwargs)


def checkpoints(folder: Any, **kwargs: Any) -> Any:
    from lightning.pytorch.callbacks import ModelCheckpoint

    return ModelCheckpoint(folder, "{step}", save_top_k=-1, **kwargs)


STEPS = -(-EXAMPLES // 4)
"""Steps of an epoch."""


def test_lightning(train: TensorDataset, tmp_path: Any) -> None:
    from datadiet.torch import LightningRecorder

    log, recorder = Log(), Recorder(EXAMPLES, CLASSES)
    callback = LightningRecorder(recorder)
    loader = DataLoader(indexed(train), batch_size=4, shuffle=True)
    lightning_trainer(tmp_path, callback).fit(lightning_model(log.note), loader)
    log.check(recorder, train.tensors[1])
    assert callback.repeated == 0


@pytest.mark.parametrize(
    "saves, kwargs",
    [
        ({"every_n_train_steps": 2}, {}),
        ({"save_on_train_epoch_end": True}, {}),
        # Between an epoch's last step and its end.
        ({"monitor": "fit"}, {"val_check_interval": 3}),
    ],
)
def test_lightning_goes_on_from_a_checkpoint(
    train: TensorDataset, tmp_path: Any, saves: Any, kwargs: Any
) -> None:
    """Of any time: only what an epoch had left when it was saved may be missing."""
    from datadiet.torch import LightningRecorder

    def fit(log: Log, folder: Any, resume: Any = None) -> Recorder:
        recorder = Recorder(EXAMPLES, CLASSES)
        callbacks = LightningRecorder(recorder), checkpoints(folder, **saves)
        trainer = lightning_trainer(tmp_path, *callbacks, enable_checkpointing=True, **kwargs)
        loader = DataLoader(indexed(train), batch_size=4, shuffle=True)
        evaluation = DataLoader(indexed(train), batch_size=8)
        trainer.fit(lightning_model(log.note), loader, evaluation, ckpt_path=resume)
        return recorder

    first = Log()
    fit(first, tmp_path / "first").table()
    saved = list((tmp_path / "first").glob("*.ckpt"))
    assert len(saved) >= EPOCHS
    for path in saved:
        epoch, within = divmod(int(path.stem.split("=")[1]), STEPS)
        log = copy.deepcopy(first)
        if within:
            log.logits[epoch] = np.nan
        resumed = fit(log, tmp_path / "again", path)
        assert resumed.epochs == EPOCHS and resumed.unfinished == 0
        missed = np.isnan(log.logits).any(axis=2).sum(axis=1)
        assert resumed.unseen.tolist() == missed.tolist()
        assert (missed > 0).sum() == (within > 0)
        if not within:
            log.check(resumed, train.tensors[1])


def test_lightning_evaluation_of_a_checkpoint_leaves_the_recorder(
    train: TensorDataset, tmp_path: Any
) -> None:
    from datadiet.torch import LightningRecorder

    recorder = Recorder(EXAMPLES, CLASSES)
    saves = checkpoints(tmp_path, save_on_train_epoch_end=True)
    trainer = lightning_trainer(
        tmp_path, LightningRecorder(recorder), saves, enable_checkpointing=True
    )
    model, loader = lightning_model(), DataLoader(indexed(train), batch_size=4)
    trainer.fit(model, loader)
    for evaluate in (trainer.test, trainer.validate):
        evaluate(model, loader, ckpt_path=tmp_path / f"step={STEPS}.ckpt", verbose=False)
        assert recorder.epochs == EPOCHS


def test_lightning_says_what_a_checkpoint_or_an_interrupted_training_lacks(
    train: TensorDataset, tmp_path: Any
) -> None:
    from datadiet.torch import LightningRecorder

    loader = DataLoader(indexed(train), batch_size=4)
    recorder = Recorder(EXAMPLES, CLASSES)

    class Stopped(Exception):
        pass

    steps: list[int] = []

    def stop(epoch: int, ids: Any, logits: Any) -> None:
        steps.append(epoch)
        if len(steps) == 5:
            raise Stopped

    def fit(*callbacks: Any, note: Any = None, **kwargs: Any) -> None:
        trainer = lightning_trainer(
            tmp_path, *callbacks, enable_checkpointing=True, limit_train_batches=3
        )
        trainer.fit(lightning_model(note), loader, **kwargs)

    with pytest.raises(Stopped):
        fit(LightningRecorder(recorder), checkpoints(tmp_path, every_n_epochs=1), note=stop)
    assert (recorder.epochs, recorder.unfinished) == (1, 4)
    with pytest.raises(StateError, match="in the middle of an epoch of an interrupted training"):
        fit(LightningRecorder(recorder))
    fit(LightningRecorder(recorder), ckpt_path=tmp_path / "step=3.ckpt")
    assert recorder.epochs == EPOCHS

    fit(checkpoints(tmp_path / "bare", every_n_epochs=1))
    with pytest.warns(UserWarning, match="what came before is not in the scores"):
        fit(
            LightningRecorder(Recorder(EXAMPLES, CLASSES)),
            ckpt_path=tmp_path / "bare" / "step=3.ckpt",
        )


@pytest.mark.parametrize(
    "kwargs, loading, unseen, repeated",
    [
        ({"precision": "bf16-mixed"}, {"num_workers": 2, "shuffle": True}, 0, 0),
        ({"accumulate_grad_batches": 2}, {"shuffle": True, "drop_last": True}, EXAMPLES % 4, 0),
        ({"max_steps": 2 * STEPS + 2}, {}, 0, 0),
        # As the samplers of several processes fill up the last batch.
        ({}, {"sampler": [*range(1, EXAMPLES), 3, 3, 5]}, 1, 3),
    ],
)
def test_lightning_with_the_options_of_loops(
    train: TensorDataset, tmp_path: Any, kwargs: Any, loading: Any, unseen: int, repeated: int
) -> None:
    from datadiet.torch import LightningRecorder

    recorder = Recorder(EXAMPLES, CLASSES)
    callback = LightningRecorder(recorder)
    trainer = lightning_trainer(tmp_path, callback, **kwargs)
    mappings = [{"x": x, "labels": label} for x, label in train]
    trainer.fit(lightning_model(), DataLoader(indexed(mappings), batch_size=4, **loading))
    assert recorder.epochs == EPOCHS
    assert recorder.unseen[:-1].tolist() == [unseen] * (EPOCHS - 1)
    assert recorder.unseen[-1] == (EXAMPLES - 8 if "max_steps" in kwargs else unseen)
    assert callback.repeated == EPOCHS * repeated


@pytest.mark.parametrize("skipped", [0, STEPS - 1])
def test_lightning_batches_that_are_skipped_count_as_unseen(
    train: TensorDataset, tmp_path: Any, skipped: int
) -> None:
    from datadiet.torch import LightningRecorder

    def fit(manual: bool) -> Recorder:
        model, recorder = lightning_model(), Recorder(EXAMPLES, CLASSES)
        model.automatic_optimization = not manual
        step = model.training_step
        model.training_step = lambda batch, batch_idx: (
            None if batch_idx == skipped else step(batch, batch_idx)
        )
        trainer = lightning_trainer(tmp_path, LightningRecorder(recorder))
        trainer.fit(model, DataLoader(indexed(train), batch_size=4))
        return recorder

    recorder = fit(manual=False)
    missed = min(4, EXAMPLES - 4 * skipped)
    assert recorder.unseen.tolist() == [missed] * EPOCHS
    assert np.isnan(recorder.table()[f"el2n@{EPOCHS}"]).sum() == missed
    # There the step may have trained: whether it did cannot be seen.
    with pytest.raises(BatchError, match="training_step must return"):
        fit(manual=True)


def test_lightning_without_logits_or_ids(train: TensorDataset, tmp_path: Any) -> None:
    from datadiet.torch import LightningRecorder

    def fit(change: Any, data: Any) -> None:
        model = lightning_model()
        step = model.training_step
        model.training_step = lambda batch, batch_idx: change(step(batch, batch_idx))
        trainer = lightning_trainer(tmp_path, LightningRecorder(Recorder(EXAMPLES, CLASSES)))
        trainer.fit(model, DataLoader(data, batch_size=4))

    with pytest.raises(BatchError, match="training_step must return"):
        fit(lambda outputs: outputs["loss"], indexed(train))
    nameless = [{"x": x, "labels": label, "rows": 0} for x, label in train]
    with pytest.raises(BatchError, match="the batch has no ids"):
        fit(lambda outputs: outputs, nameless)


@pytest.fixture
def texts() -> Any:
    """Token ids of unequal lengths with labels: a Hugging Face data set, as tokenizers make."""
    datasets = pytest.importorskip("datasets")
    generator = np.random.default_rng(0)
    tokens = [generator.integers(3, 30, generator.integers(3, 9)).tolist() for _ in range(EXAMPLES)]
    labels = generator.integers(0, CLASSES, EXAMPLES).tolist()
    return datasets.Dataset.from_dict({"input_ids": tokens, "labels": labels})


def pad(items: list[dict[str, Any]]) -> dict[str, Any]:
    """What DataCollatorWithPadding does, without a tokenizer."""
    longest = max(len(item["input_ids"]) for item in items)
    rows = [item["input_ids"] + [0] * (longest - len(item["input_ids"])) for item in items]
    tokens = torch.tensor(rows)
    batch = {"input_ids": tokens, "attention_mask": (tokens > 0).long()}
    return batch | {
        key: torch.tensor([item[key] for item in items])
        for key in ("labels", "ids")
        if key in items[0]
    }


def bert() -> Any:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
        num_labels=CLASSES,
    )
    return transformers.BertForSequenceClassification(config)


def trainer_of(model: Any, data: Any, folder: Any, callback: Any, **kwargs: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    arguments = {
        "num_train_epochs": EPOCHS,
        "per_device_train_batch_size": 4,
        "save_strategy": "epoch",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "learning_rate": 1e-2,
    }
    return transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(str(folder), **arguments | kwargs),
        train_dataset=data,
        eval_dataset=data,
        data_collator=pad,
        callbacks=[callback],
    )


def test_hugging_face_trainer(texts: Any, tmp_path: Any) -> None:
    from datadiet.torch import TrainerRecorder

    model = bert()
    recorder = Recorder(EXAMPLES, CLASSES)
    trainer = trainer_of(
        model, indexed(texts), tmp_path, TrainerRecorder(recorder), eval_strategy="epoch"
    )
    hooks = len(model._forward_hooks), len(model._forward_pre_hooks)
    trainer.train()
    assert (len(model._forward_hooks), len(model._forward_pre_hooks)) == hooks
    assert recorder.epochs == EPOCHS and (recorder.unseen == 0).all()


@pytest.mark.parametrize("strategy", ["epoch", "steps"])
def test_hugging_face_trainer_goes_on_from_a_checkpoint(
    texts: Any, tmp_path: Any, strategy: str
) -> None:
    """With a recorder that knows nothing, bit for bit as if it had not stopped."""
    from datadiet.torch import TrainerRecorder

    def train(resume: Any = None, **kwargs: Any) -> Recorder:
        recorder = Recorder(EXAMPLES, CLASSES)
        callback = TrainerRecorder(recorder)
        kwargs |= {"save_strategy": strategy, "save_steps": 2}
        trainer = trainer_of(bert(), indexed(texts), tmp_path, callback, **kwargs)
        trainer.train(resume_from_checkpoint=resume and str(tmp_path / f"checkpoint-{resume}"))
        return recorder

    whole = train().state_dict()
    # An epoch has six steps.
    for step in (12, 10) if strategy == "steps" else (12,):
        again = train(step).state_dict()
        for name, values in whole.items():
            np.testing.assert_array_equal(again[name], values, err_msg=name)
    if strategy == "steps":
        with pytest.raises(BatchError, match="ignore_data_skip=False"):
            train(10, ignore_data_skip=True)
        (tmp_path / "checkpoint-12" / "datadiet-recorder.npz").unlink()
        with pytest.warns(UserWarning, match="what came before is not in the scores"):
            assert train(12).epochs == 1


def test_hugging_face_trainer_records_what_the_step_computed(texts: Any, tmp_path: Any) -> None:
    from datadiet.torch import TrainerRecorder

    model, log = bert(), Log()
    seen: list[tuple[Any, Any]] = []

    class Spy(Recorder):
        """A recorder that keeps the rows it was given."""

        def update(self, ids: Any, logits: Any, labels: Any) -> None:
            seen.append((torch.tensor(ids), torch.tensor(logits)))
            super().update(ids, logits, labels)

    recorder = Spy(EXAMPLES, CLASSES)
    # With dropout: only the step's own logits agree.
    callback = TrainerRecorder(recorder)
    trainer = trainer_of(model, indexed(texts), tmp_path, callback, save_strategy="no")
    outputs: list[Any] = []
    model.classifier.register_forward_hook(
        lambda module, args, out: outputs.append(out.detach().clone())
    )
    trainer.train()
    assert len(seen) == len(outputs) == EPOCHS * -(-EXAMPLES // 4)
    for number, ((ids, logits), out) in enumerate(zip(seen, outputs, strict=True)):
        assert torch.equal(logits, out)
        log.note(number // -(-EXAMPLES // 4), ids, out)
    log.check(recorder, torch.tensor(texts["labels"][:]))


def test_hugging_face_trainer_with_a_loss_of_its_own_and_ids_in_a_column(
    texts: Any, tmp_path: Any
) -> None:
    from datadiet.torch import TrainerRecorder

    data = texts.add_column("ids", list(range(EXAMPLES)))
    kwargs = {"label_smoothing_factor": 0.1, "num_train_epochs": 1, "save_strategy": "no"}
    with pytest.raises(BatchError, match=r"TrainerRecorder\(recorder, labels=…\)"):
        trainer_of(
            bert(), data, tmp_path, TrainerRecorder(Recorder(EXAMPLES, CLASSES)), **kwargs
        ).train()
    recorder = Recorder(EXAMPLES, CLASSES)
    callback = TrainerRecorder(recorder, labels=texts["labels"][:])
    trainer_of(bert(), data, tmp_path, callback, **kwargs).train()
    assert recorder.epochs == 1 and (recorder.unseen == 0).all()


def test_hugging_face_trainer_without_ids(texts: Any, tmp_path: Any) -> None:
    from datadiet.torch import TrainerRecorder

    callback = TrainerRecorder(Recorder(EXAMPLES, CLASSES))
    with pytest.raises(BatchError, match="pass train_dataset=datadiet.torch.indexed"):
        trainer_of(bert(), texts, tmp_path, callback).train()
    with pytest.raises(BatchError, match="remove_unused_columns=False"):
        trainer_of(bert(), indexed(texts), tmp_path, callback, remove_unused_columns=True).train()


@pytest.mark.parametrize(
    "kwargs, unseen",
    [
        ({"gradient_accumulation_steps": 4, "eval_strategy": "steps", "eval_steps": 1}, 0),
        ({"bf16": True, "dataloader_num_workers": 2}, 0),
        ({"dataloader_drop_last": True, "gradient_checkpointing": True}, EXAMPLES % 4),
        ({"train_sampling_strategy": "group_by_length"}, 0),
    ],
)
def test_hugging_face_trainer_with_its_options(
    texts: Any, tmp_path: Any, kwargs: Any, unseen: int
) -> None:
    from datadiet.torch import TrainerRecorder

    recorder = Recorder(EXAMPLES, CLASSES)
    callback = TrainerRecorder(recorder)
    kwargs |= {"num_train_epochs": 2, "save_strategy": "no"}
    trainer_of(bert(), indexed(texts), tmp_path, callback, **kwargs).train()
    assert recorder.unseen.tolist() == [unseen, unseen]
    assert callback.repeated == 0


def test_hugging_face_models_are_copied_while_they_are_recorded(texts: Any, tmp_path: Any) -> None:
    transformers = pytest.importorskip("transformers")
    from datadiet.torch import TrainerRecorder

    class Average(transformers.TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            copied = copy.deepcopy(kwargs["model"]).eval()
            copied(**pad(texts.select([0, 1]).to_list()))

    recorder = Recorder(EXAMPLES, CLASSES)
    callback = TrainerRecorder(recorder)
    kwargs = {"save_strategy": "no", "num_train_epochs": 1}
    trainer = trainer_of(bert(), indexed(texts), tmp_path, callback, **kwargs)
    trainer.add_callback(Average())
    trainer.train()
    assert recorder.unseen.tolist() == [0]


def test_hugging_face_trainer_goes_on_from_a_checkpoint_of_another_folder(
    texts: Any, tmp_path: Any
) -> None:
    """As the warning says: the recorder is restored by hand."""
    from datadiet.torch import TrainerRecorder

    def train(recorder: Recorder, folder: Any, resume: Any = None) -> Recorder:
        callback = TrainerRecorder(recorder)
        kwargs = {"save_strategy": "steps", "save_steps": 4}
        trainer_of(bert(), indexed(texts), folder, callback, **kwargs).train(resume)
        return recorder

    whole = train(Recorder(EXAMPLES, CLASSES), tmp_path / "first").state_dict()
    moved = tmp_path / "first" / "checkpoint-8"
    with pytest.warns(UserWarning, match="copy the file there, or load its arrays"):
        lost = train(Recorder(EXAMPLES, CLASSES), tmp_path / "second", str(moved))
    assert lost.unseen.tolist() == [8, 0]
    recorder = Recorder(EXAMPLES, CLASSES)
    recorder.load_state_dict(dict(np.load(moved / "datadiet-recorder.npz")))
    again = train(recorder, tmp_path / "third", str(moved)).state_dict()
    for name, values in whole.items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)


@pytest.mark.parametrize("strategy", ["epoch", "steps"])
def test_hugging_face_trainer_goes_on_after_it_stopped_in_an_epoch(
    texts: Any, tmp_path: Any, strategy: str
) -> None:
    """With accumulated gradients; the epoch that was stopped ends once."""
    from datadiet.torch import TrainerRecorder

    def train(**kwargs: Any) -> Recorder:
        recorder = Recorder(EXAMPLES, CLASSES)
        resume = kwargs.pop("resume", None)
        kwargs |= {"gradient_accumulation_steps": 4, "save_strategy": strategy, "save_steps": 1}
        callback = TrainerRecorder(recorder)
        trainer_of(bert(), indexed(texts), tmp_path, callback, **kwargs).train(resume)
        return recorder

    # An epoch's two steps are of four batches and of two.
    assert train(max_steps=3).unseen.tolist() == [0, EXAMPLES - 16]
    assert train(resume=str(tmp_path / "checkpoint-3")).unseen.tolist() == [0] * EPOCHS


def test_hugging_face_trainer_after_attempts_that_failed(texts: Any, tmp_path: Any) -> None:
    """One that looks for a batch size begins anew; so does another trainer of an interrupted model."""
    from datadiet.torch import TrainerRecorder

    def failing(error: BaseException) -> Any:
        model, steps = bert(), []
        forward = model.forward

        def at_third(*args: Any, **kwargs: Any) -> Any:
            steps.append(None)
            if len(steps) == 3:
                raise error
            return forward(*args, **kwargs)

        model.forward = at_third
        return model

    def train(model: Any, recorder: Recorder, **kwargs: Any) -> Any:
        callback = TrainerRecorder(recorder)
        kwargs |= {"save_strategy": "no", "num_train_epochs": 1}
        trainer_of(model, indexed(texts), tmp_path, callback, **kwargs).train()

    recorder = Recorder(EXAMPLES, CLASSES)
    train(failing(RuntimeError("CUDA out of memory.")), recorder, auto_find_batch_size=True)
    assert recorder.unseen.tolist() == [0]

    interrupted, model = Recorder(EXAMPLES, CLASSES), failing(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        train(model, interrupted)
    recorder = Recorder(EXAMPLES, CLASSES)
    train(model, recorder)
    assert recorder.unseen.tolist() == [0] and interrupted.unfinished == 8
    assert not model._forward_hooks and not model._forward_pre_hooks
    with pytest.raises(StateError, match="in the middle of an epoch of an interrupted training"):
        train(model, interrupted)


def test_hugging_face_trainer_refuses_what_it_cannot_record(texts: Any, tmp_path: Any) -> None:
    from datadiet.torch import TrainerRecorder

    def train(model: Any, *callbacks: Any) -> None:
        trainer = trainer_of(model, indexed(texts), tmp_path, callbacks[0], save_strategy="no")
        for callback in callbacks[1:]:
            trainer.add_callback(callback)
        trainer.train()

    def callback(**kwargs: Any) -> Any:
        return TrainerRecorder(Recorder(EXAMPLES, CLASSES), **kwargs)

    tuples = bert()
    tuples.config.return_dict = False
    with pytest.raises(BatchError, match="gives a tuple without logits; pass Trainer"):
        train(tuples, callback())
    train(tuples, callback(logits=lambda outputs: outputs[1]))
    with pytest.raises(BatchError, match="two TrainerRecorders record one model"):
        train(bert(), callback(), callback())
    with pytest.raises(ShapeError, match="one for each of the 23 examples"):
        callback(labels=[0, 1])
    state = pytest.importorskip("transformers").TrainerState(is_hyper_param_search=True)
    trainer = trainer_of(bert(), indexed(texts), tmp_path, callback())
    with pytest.raises(BatchError, match="hyperparameter search"):
        callback().on_train_begin(trainer.args, state, trainer.control, model=trainer.model)


def test_hugging_face_checkpoints_of_other_numbers_of_processes(texts: Any, tmp_path: Any) -> None:
    """A folder is of the training that wrote it last; one without this process's file is refused."""
    from datadiet.torch import TrainerRecorder

    folder = tmp_path / "checkpoint-12"
    folder.mkdir()
    (folder / "datadiet-recorder-3-of-4.npz").touch()

    def train(resume: Any = None) -> None:
        callback = TrainerRecorder(Recorder(EXAMPLES, CLASSES))
        trainer_of(bert(), indexed(texts), tmp_path, callback).train(resume)

    train()
    assert [path.name for path in folder.glob("datadiet*")] == ["datadiet-recorder.npz"]
    (folder / "datadiet-recorder.npz").rename(folder / "datadiet-recorder-3-of-4.npz")
    with pytest.raises(StateError, match="the recorders of 4 processes, and this training has 1"):
        train(str(folder))


def test_grand_of_a_hugging_face_model(texts: Any) -> None:
    model = bert()
    loader = DataLoader(indexed(texts), batch_size=6, shuffle=True, collate_fn=pad)
    found = grand(model, loader)
    reference = copy.deepcopy(model).double().eval()
    for row in (0, 7, EXAMPLES - 1):
        batch = pad([texts[row]])
        reference.zero_grad()
        reference(**batch).loss.backward()
        norm = sum(
            p.grad.square().sum() for p in reference.parameters() if p.grad is not None
        ).sqrt()
        assert found[row] == pytest.approx(norm.item(), rel=1e-4)
