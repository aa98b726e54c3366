"""Recording tokens in Hugging Face's `Trainer` and TRL's `SFTTrainer`, against plain passes without them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from packages import imported

torch = pytest.importorskip("torch")

import datadiet  # noqa: E402
from datadiet import LossRecorder, ShapeError, TokenRecorder  # noqa: E402
from datadiet.torch import BatchError, LossError, TrainerRecorder, keep_ids, pack  # noqa: E402
from datadiet.torch.first_presentations import FirstPresentations  # noqa: E402
from datadiet.torch.outputs import record_tokens  # noqa: E402

EXAMPLES, WORDS, CLASSES, EPOCHS, BATCH = 13, 30, 4, 2, 4
PAD, END = 0, 1


@pytest.fixture
def tokens(chance: Any) -> list[list[int]]:
    """Texts of 2 to 9 words and their end."""
    return [
        [*chance.integers(2, WORDS, chance.integers(2, 10)).tolist(), END] for _ in range(EXAMPLES)
    ]


@pytest.fixture
def causal(tokens: Any) -> Any:
    """Of the third text nothing has a label, of others not the first words: answers to prompts."""
    labels = [[*row] for row in tokens]
    for number, row in enumerate(labels):
        for place in range(len(row) if number == 2 else number % 3):
            row[place] = -100
    return data_of(input_ids=tokens, labels=labels)


def data_of(**columns: Any) -> Any:
    data = imported("datasets").Dataset.from_dict(columns)
    return data.add_column("ids", [*range(len(data))])


def tokenizer() -> Any:
    transformers, tokenizers = imported("transformers"), imported("tokenizers")
    words = {"[PAD]": PAD, "[END]": END, **{f"w{number}": number for number in range(2, WORDS)}}
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="w2"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=model, pad_token="[PAD]", eos_token="[END]"
    )


def llama() -> Any:
    transformers = imported("transformers")
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=WORDS,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        pad_token_id=PAD,
        eos_token_id=END,
        bos_token_id=None,
        initializer_range=0.5,
    )
    return transformers.LlamaForCausalLM(config)


def arguments(folder: Any, **kwargs: Any) -> dict[str, Any]:
    """A training that does not learn, so that every epoch's numbers are those of a plain pass."""
    return {
        "output_dir": str(folder),
        "num_train_epochs": EPOCHS,
        "per_device_train_batch_size": BATCH,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "learning_rate": 0.0,
    } | kwargs


def trainer_of(
    model: Any, data: Any, collator: Any, callback: Any, folder: Any, **kwargs: Any
) -> Any:
    transformers = imported("transformers")
    own = {name: kwargs.pop(name) for name in ("compute_loss_func",) if name in kwargs}
    return transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(**arguments(folder, **kwargs)),
        train_dataset=data,
        data_collator=collator,
        callbacks=[callback],
        **own,
    )


def alone(model: Any, data: Any, shift: bool) -> dict[str, Any]:
    """The scores of each text in a plain pass of its own: neither batch nor padding."""
    model = model.eval()
    found: dict[str, list[Any]] = {}
    for row in data:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([row["input_ids"]])).logits
        counted = row["labels"][1:] if shift else row["labels"]
        if all(label == -100 for label in counted):
            one = dict.fromkeys(("loss", "loss-sum", "el2n", "token-accuracy", "length"), [np.nan])
        else:
            one = datadiet.token_scores(logits, [row["labels"]], shift=shift).examples
        for name, values in one.items():
            found.setdefault(name, []).append(values[0])
    return {name: np.array(values) for name, values in found.items()}


def check(recorder: Any, expected: dict[str, Any], *, names: Any = None, unseen: int = 1) -> None:
    assert recorder.epochs == EPOCHS and recorder.unseen.tolist() == [unseen] * EPOCHS
    table = recorder.table()
    for name in names or ("loss", "loss-sum", "el2n", "token-accuracy", "length"):
        values = table[f"{name}@{EPOCHS}"]
        np.testing.assert_allclose(values, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(table[f"mean-loss@{EPOCHS}"], expected["loss"], rtol=1e-4)


LOG_PROBS = ("loss", "loss-sum", "length")


class TestTrainer:
    """Hugging Face's."""

    @pytest.mark.filterwarnings("ignore:.*have no labelled token")
    def test_causal_language_models(self, causal: Any, tmp_path: Any) -> None:
        """Padded, with accumulated gradients: as each text alone."""
        transformers = imported("transformers")
        model, recorder = llama(), TokenRecorder(EXAMPLES)
        callback = TrainerRecorder(recorder)
        collator = keep_ids(transformers.DataCollatorForSeq2Seq(tokenizer()))
        kwargs = {"gradient_accumulation_steps": 2}
        trainer_of(model, causal, collator, callback, tmp_path, **kwargs).train()
        check(recorder, alone(model, causal, True))
        assert callback.unlabelled == EPOCHS and callback.repeated == 0

    @pytest.mark.filterwarnings("ignore:.*have no labelled token")
    @pytest.mark.parametrize("cut", [False, True])
    def test_padding_on_the_left(self, causal: Any, tmp_path: Any, cut: bool) -> None:
        """Padding predicts the first token there, whose loss transformers counts and a recorder does not."""
        transformers = imported("transformers")
        causal = causal.remove_columns("labels").add_column("labels", causal["input_ids"])
        model, recorder = llama(), TokenRecorder(EXAMPLES)
        words = tokenizer()
        words.padding_side = "left"
        collator = keep_ids(transformers.DataCollatorForSeq2Seq(words))
        batch = collator(causal.select([0, 1, 2]).to_list())
        assert (batch["attention_mask"][:, 0] == 0).any() and batch["attention_mask"][:, -1].all()
        options: dict[str, Any] = {}
        if cut:  # The last token's are of no label.
            options["logits"] = lambda outputs: outputs.logits[:, :-1]
        callback = TrainerRecorder(recorder, **options)
        trainer_of(model, causal, collator, callback, tmp_path).train()
        check(recorder, alone(model, causal, True), unseen=0)

    def test_labels_that_are_shifted_already_and_padded_on_the_left(self) -> None:
        rows = FirstPresentations(TokenRecorder(1))
        labels = torch.tensor([[4, 5, 6, -100]])
        logits = torch.randn(1, 4, 9)
        record_tokens(rows, [0], labels, False, logits=logits, mask=torch.tensor([[0, 1, 1, 1]]))
        rows.end_epoch()
        expected = torch.nn.functional.cross_entropy(logits[0, 1:3], labels[0, 1:3])
        table = rows.recorder.table()
        assert table["length@1"][0] == 2
        assert table["loss@1"][0] == pytest.approx(float(expected), rel=1e-5)

    def test_a_second_training_is_said_to_go_on(self, causal: Any, tmp_path: Any) -> None:
        transformers = imported("transformers")
        causal = causal.remove_columns("labels").add_column("labels", causal["input_ids"])
        collator = keep_ids(transformers.DataCollatorForSeq2Seq(tokenizer()))
        recorder = TokenRecorder(EXAMPLES)
        callback = TrainerRecorder(recorder)
        trainer = trainer_of(llama(), causal, collator, callback, tmp_path)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*of an earlier training")
            trainer.train()
        with pytest.warns(UserWarning, match="has 2 epochs of an earlier training.*as 3, …"):
            trainer.train()
        assert recorder.epochs == 2 * EPOCHS

    @pytest.mark.filterwarnings("ignore:.*have no labelled token")
    def test_the_loss_that_it_trains_on_is_made_of_those_recorded(
        self, causal: Any, tmp_path: Any
    ) -> None:
        """One step of all batches divides by the labelled tokens of all of them, in training mode."""
        transformers = imported("transformers")
        model, recorder = llama(), TokenRecorder(EXAMPLES)
        collator = keep_ids(transformers.DataCollatorForSeq2Seq(tokenizer()))
        kwargs = {
            "gradient_accumulation_steps": -(-EXAMPLES // BATCH),
            "logging_strategy": "steps",
            "logging_steps": 1,
            "learning_rate": 0.1,
        }
        trainer = trainer_of(model, causal, collator, TrainerRecorder(recorder), tmp_path, **kwargs)
        trainer.train()
        logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        table = recorder.table()
        last = EPOCHS
        sums, lengths = table[f"loss-sum@{last}"], table[f"length@{last}"]
        mean = np.nansum(sums) / np.nansum(lengths)
        assert len(logged) == EPOCHS and logged[-1] == pytest.approx(mean, rel=1e-3)

    def test_token_classification(self, tokens: Any, chance: Any, tmp_path: Any) -> None:
        transformers = imported("transformers")
        torch.manual_seed(1)
        config = transformers.BertConfig(
            vocab_size=WORDS,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            num_labels=CLASSES,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            initializer_range=0.5,
        )
        model = transformers.BertForTokenClassification(config)
        labels = [chance.integers(0, CLASSES, len(row)).tolist() for row in tokens]
        labels[4][0] = -100
        data = data_of(input_ids=tokens, labels=labels)
        collator = transformers.DataCollatorForTokenClassification(tokenizer())
        recorder = TokenRecorder(EXAMPLES, keep_tokens=True)
        trainer_of(model, data, collator, TrainerRecorder(recorder), tmp_path).train()
        check(recorder, alone(model, data, False), unseen=0)
        worst = recorder.tokens().top(1, by=f"mean-loss@{EPOCHS}")
        example, position = worst["example"][0], worst["position"][0]
        assert labels[example][position] == worst["label"][0]

    def test_labels_that_the_model_does_not_get(self, causal: Any, tmp_path: Any) -> None:
        transformers = imported("transformers")
        collator = keep_ids(transformers.DataCollatorForSeq2Seq(tokenizer()))
        data = causal.remove_columns("labels").add_column("labels", causal["input_ids"])

        def train(callback: Any, **kwargs: Any) -> None:
            trainer_of(llama(), data, collator, callback, tmp_path, **kwargs).train()

        def own(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
            return outputs.logits.square().mean()

        def padded(inputs: Any) -> Any:
            return inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)

        for kwargs in ({"label_smoothing_factor": 0.1}, {"compute_loss_func": own}):
            with pytest.raises(BatchError, match="a function of the model's inputs"):
                train(TrainerRecorder(TokenRecorder(EXAMPLES)), **kwargs)
            recorder = TokenRecorder(EXAMPLES)
            train(TrainerRecorder(recorder, labels=padded), **kwargs)
            check(recorder, alone(llama(), data, True), unseen=0)

    def test_rows_of_several_texts(self, causal: Any, tmp_path: Any) -> None:
        """``DataCollatorWithFlattening`` lays a batch into one row; each token has the id of its text."""
        transformers = imported("transformers")
        collator = keep_ids(transformers.DataCollatorWithFlattening())
        batch = collator(causal.select([0, 1]).to_list())
        first, second = (len(row) for row in causal.select([0, 1])["input_ids"])
        assert batch["ids"].tolist() == [[0] * first + [1] * second]
        model, recorder = llama(), TokenRecorder(EXAMPLES)
        callback = TrainerRecorder(recorder)
        with pytest.warns(UserWarning, match="1 examples of a batch have no labelled token"):
            trainer_of(model, causal, collator, callback, tmp_path).train()
        check(recorder, alone(model, causal, True))
        assert callback.unlabelled == EPOCHS

    def test_losses_of_any_task(self, tokens: Any, chance: Any, tmp_path: Any) -> None:
        transformers = imported("transformers")
        torch.manual_seed(1)
        config = transformers.BertConfig(
            vocab_size=WORDS,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            num_labels=1,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        model = transformers.BertForSequenceClassification(config)
        targets = chance.normal(size=EXAMPLES).tolist()
        data = data_of(input_ids=tokens, labels=targets)
        collator = transformers.DataCollatorWithPadding(tokenizer())

        def losses(outputs: Any, inputs: Any) -> Any:
            return (outputs.logits[:, 0] - inputs["labels"]).square()

        recorder, numbers = LossRecorder(EXAMPLES), datadiet.RegressionRecorder(EXAMPLES)
        callback = TrainerRecorder(recorder, losses=losses)
        trainer_of(model, data, collator, callback, tmp_path).train()
        callback = TrainerRecorder(numbers, logits=lambda outputs: outputs.logits[:, 0])
        trainer_of(model, data, collator, callback, tmp_path).train()
        expected = []
        for row, target in zip(tokens, targets, strict=True):
            with torch.no_grad():
                output = model(input_ids=torch.tensor([row])).logits[0, 0]
            expected.append((output.item() - target) ** 2)
        for one in (recorder, numbers):
            found = one.table()[f"loss@{EPOCHS}"]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
        fresh = LossRecorder(EXAMPLES)
        callback = TrainerRecorder(fresh, losses=lambda outputs, inputs: outputs.loss)
        with pytest.raises(LossError, match='reduction="none"'):
            trainer_of(model, data, collator, callback, tmp_path).train()
        with pytest.raises(BatchError, match="losses=lambda outputs, inputs"):
            TrainerRecorder(LossRecorder(EXAMPLES))

    def test_which_models_shift(self) -> None:
        from datadiet.torch.trainer import _shifts

        transformers = imported("transformers")
        peft = imported("peft")
        bert = transformers.BertConfig(
            vocab_size=9, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, is_decoder=True
        )
        assert _shifts(llama()) and _shifts(peft.get_peft_model(llama(), peft.LoraConfig()))
        assert _shifts(transformers.BertLMHeadModel(bert))
        assert not _shifts(transformers.BertForMaskedLM(bert))
        assert not _shifts(transformers.BertForTokenClassification(bert))
        with pytest.raises(BatchError, match="shift=True"):
            _shifts(torch.nn.Linear(2, 2))

    @pytest.mark.filterwarnings("ignore:.*have no labelled token")
    def test_it_goes_on_from_a_checkpoint(self, causal: Any, tmp_path: Any) -> None:
        """In mid-epoch, bit for bit."""
        transformers = imported("transformers")
        collator = keep_ids(transformers.DataCollatorForSeq2Seq(tokenizer()))

        def train(resume: Any = None) -> Any:
            recorder = TokenRecorder(EXAMPLES)
            kwargs = {"save_strategy": "steps", "save_steps": 2, "learning_rate": 0.01}
            callback = TrainerRecorder(recorder)
            trainer = trainer_of(llama(), causal, collator, callback, tmp_path, **kwargs)
            trainer.train(resume_from_checkpoint=resume)
            return recorder.state_dict()

        whole = train()
        again = train(str(tmp_path / "checkpoint-6"))
        for name, values in whole.items():
            np.testing.assert_array_equal(again[name], values, err_msg=name)


class TestSft:
    """TRL's ``SFTTrainer``."""

    def train(self, data: Any, callback: Any, folder: Any, model: Any = None, **kwargs: Any) -> Any:
        trl = imported("trl")
        model = llama() if model is None else model
        own = {name: kwargs.pop(name) for name in ("peft_config",) if name in kwargs}
        collator = kwargs.pop("data_collator", None)
        options = {"bf16": False, "gradient_checkpointing": False, "max_length": 16} | kwargs
        trainer = trl.SFTTrainer(
            model=model,
            args=trl.SFTConfig(**arguments(folder, **options)),
            train_dataset=data,
            processing_class=tokenizer(),
            callbacks=[callback],
            **own,
        )
        trainer.data_collator = keep_ids(collator or trainer.data_collator)
        trainer.train()
        return trainer

    @pytest.mark.parametrize(
        "kwargs",
        [
            {"gradient_accumulation_steps": 2},
            {"padding_free": True, "max_length": None},
            {"gradient_checkpointing": True},
        ],
        ids=str,
    )
    def test_not_packed(self, causal: Any, tmp_path: Any, kwargs: Any) -> None:
        """A text without labels is dropped by the trainer where it cuts texts off."""
        recorder = TokenRecorder(EXAMPLES)
        data = (
            causal if kwargs.get("max_length", 16) else causal.select([0, 1, *range(3, EXAMPLES)])
        )
        self.train(data, TrainerRecorder(recorder), tmp_path, **kwargs)
        check(recorder, alone(llama(), causal, True), names=LOG_PROBS)

    def test_padding_on_the_left(self, tokens: Any, tmp_path: Any) -> None:
        words = tokenizer()
        words.padding_side = "left"
        collator = imported("transformers").DataCollatorForSeq2Seq(words)
        recorder, data = TokenRecorder(EXAMPLES), data_of(input_ids=tokens, labels=tokens)
        self.train(data, TrainerRecorder(recorder), tmp_path, data_collator=collator)
        check(recorder, alone(llama(), data, True), names=LOG_PROBS, unseen=0)

    def test_from_texts(self, tokens: Any, tmp_path: Any) -> None:
        """As the trainer tokenises them, with an end that it adds."""
        texts = [" ".join(f"w{token}" for token in row[:-1]) for row in tokens]
        recorder = TokenRecorder(EXAMPLES)
        self.train(data_of(text=texts), TrainerRecorder(recorder), tmp_path)
        expected = alone(llama(), data_of(input_ids=tokens, labels=tokens), True)
        check(recorder, expected, names=LOG_PROBS, unseen=0)

    def test_prompts_and_completions(self, tokens: Any, tmp_path: Any) -> None:
        """Only the completion is counted; with LoRA, whose first step changes nothing."""
        peft = imported("peft")
        words = [[f"w{token}" for token in row[:-1]] for row in tokens]
        data = data_of(
            prompt=[" ".join(row[:1]) + " " for row in words],
            completion=[" ".join(row[1:]) for row in words],
        )
        recorder = TokenRecorder(EXAMPLES)
        config = peft.LoraConfig(task_type="CAUSAL_LM", r=2)
        self.train(data, TrainerRecorder(recorder), tmp_path, peft_config=config)
        labels = [[-100, *row[1:]] for row in tokens]
        expected = alone(llama(), data_of(input_ids=tokens, labels=labels), True)
        check(recorder, expected, names=LOG_PROBS, unseen=0)

    @pytest.mark.parametrize("strategy", ["bfd", "bfd_split", "wrapped"])
    def test_packed(self, causal: Any, tmp_path: Any, strategy: str) -> None:
        """A text may lie in two rows; all of its tokens are counted together."""
        length = 16 if strategy == "bfd" else 7
        packed = pack(causal, length, strategy=strategy)
        assert sum(len(row) for row in packed["ids"]) == sum(
            len(row) for row in causal["input_ids"]
        )
        recorder = TokenRecorder(EXAMPLES)
        kwargs = {
            "packing": True,
            "packing_strategy": strategy,
            "max_length": length,
            "dataset_kwargs": {"skip_prepare_dataset": True},
            "per_device_train_batch_size": 2,
        }
        callback = TrainerRecorder(recorder)
        with pytest.warns(UserWarning, match="no labelled token"):
            self.train(packed, callback, tmp_path, **kwargs)
        assert recorder.unseen.tolist() == [1] * EPOCHS
        if strategy == "bfd":
            # Rows do not see each other's texts.
            check(recorder, alone(llama(), causal, True), names=LOG_PROBS)
        expected = plain_packed(llama(), packed, strategy)
        table = recorder.table()
        for name, values in expected.items():
            found = table[f"{name}@{EPOCHS}"]
            np.testing.assert_allclose(found, values, rtol=1e-4, atol=1e-5, err_msg=name)

    def test_a_loss_of_ones_own_looks_twice(self, causal: Any, tmp_path: Any) -> None:
        """TRL then runs the model again for its metrics, which is not recorded."""
        data = causal.select([0, 1, *range(3, EXAMPLES)])
        recorder = TokenRecorder(EXAMPLES)
        batches: list[Any] = []

        def labels(inputs: Any) -> Any:
            batches.append(inputs["input_ids"])
            return inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)

        callback = TrainerRecorder(recorder, labels=labels)
        self.train(data, callback, tmp_path, label_smoothing_factor=0.1)
        assert callback.repeated == 0 and len(batches) == EPOCHS * -(-12 // BATCH)
        assert recorder.unseen.tolist() == [1] * EPOCHS

    @pytest.mark.filterwarnings("ignore:.*have no labelled token")
    def test_pieces_survive_a_checkpoint(self, causal: Any, tmp_path: Any) -> None:
        packed = pack(causal, 7, strategy="wrapped")

        def train(resume: Any = None) -> Any:
            trl = imported("trl")
            recorder = TokenRecorder(EXAMPLES)
            options = {
                "bf16": False,
                "packing": True,
                "packing_strategy": "wrapped",
                "max_length": 7,
                "dataset_kwargs": {"skip_prepare_dataset": True},
                "per_device_train_batch_size": 2,
                "save_strategy": "steps",
                "save_steps": 3,
                "num_train_epochs": 1,
                "learning_rate": 0.01,
            }
            trainer = trl.SFTTrainer(
                model=llama(),
                args=trl.SFTConfig(**arguments(tmp_path, **options)),
                train_dataset=packed,
                processing_class=tokenizer(),
                callbacks=[TrainerRecorder(recorder)],
            )
            trainer.data_collator = keep_ids(trainer.data_collator)
            trainer.train(resume_from_checkpoint=resume)
            return recorder.state_dict()

        whole = train()
        saved = np.load(tmp_path / "checkpoint-3" / "datadiet-recorder.npz")
        assert len(saved["pieces.ids"])
        again = train(str(tmp_path / "checkpoint-3"))
        for name, values in whole.items():
            np.testing.assert_array_equal(again[name], values, err_msg=name)


def plain_packed(model: Any, packed: Any, strategy: str) -> dict[str, Any]:
    """Log-probabilities of a plain pass over the packed rows, summed by id in Python."""
    sums, counts = np.zeros(EXAMPLES), np.zeros(EXAMPLES)
    model = model.eval()
    for row in packed:
        # The pieces between which a row's texts do not see each other.
        lengths = row["seq_lengths"] if strategy != "wrapped" else [len(row["input_ids"])]
        start = 0
        for length in lengths:
            part = slice(start, start + length)
            start += length
            tokens, labels, ids = (row[name][part] for name in ("input_ids", "labels", "ids"))
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([tokens])).logits[0]
            log_probs = torch.log_softmax(logits.double(), -1)
            for place in range(1, len(tokens)):
                if labels[place] != -100 and ids[place] == ids[place - 1]:
                    sums[ids[place]] -= log_probs[place - 1, labels[place]].item()
                    counts[ids[place]] += 1
    none = counts == 0
    sums[none] = counts[none] = np.nan
    return {"loss": sums / counts, "loss-sum": sums, "length": counts}


def test_collators_that_cannot_be_followed(tokens: Any) -> None:
    transformers = imported("transformers")
    data = data_of(input_ids=tokens).to_list()
    with pytest.raises(BatchError, match='an example has no "ids"'):
        keep_ids(lambda examples: {})([{"input_ids": [1]}])
    flat = transformers.DataCollatorWithFlattening()

    def turned(examples: Any) -> Any:
        batch = flat(examples)
        batch["input_ids"] = batch["input_ids"].flip(1)
        return batch

    with pytest.raises(BatchError, match="has moved or changed tokens"):
        keep_ids(turned)(data[:2])
    collator = keep_ids(flat)
    assert keep_ids(collator) is collator
    with pytest.raises(datadiet.DtypeError, match="the column 'input_ids'"):
        pack(data_of(text=["a"]), 8)
    with pytest.raises(ShapeError, match="row 1 has 2 tokens and 1 labels"):
        pack(data_of(input_ids=[[1], [2, 3]], labels=[[1], [2]]), 8)
