"""What recording costs in the loops of other libraries: steps with and without, in turn, in one process.

Each loop twice: with a model whose step takes 100 ms or more on one thread of a processor, as steps on a GPU do,
and with one of a few milliseconds, where the fixed costs show.

    python loops.py      # with a Python that has datadiet and python/requirements-dev.txt
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import readme

STEPS, WARM = 10, 2
"""Steps of a training, and of these not counted."""


class Watch:
    """CPU seconds of all threads between marks: of one busy thread those of a clock, whatever else is running."""

    def __init__(self):
        self.marks = [time.process_time()]

    def mark(self, *args, **kwargs):
        self.marks.append(time.process_time())

    def steps(self):
        return [b - a for a, b in zip(self.marks[WARM:-1], self.marks[WARM + 1 :])]


SPENT = []
"""CPU seconds in calls of what records, by call."""


def timed(owner, name):
    """Have a method note what it takes."""
    was = getattr(owner, name)

    def call(*args, **kwargs):
        began = time.process_time()
        try:
            return was(*args, **kwargs)
        finally:
            SPENT.append(time.process_time() - began)

    setattr(owner, name, call)


def texts(examples, length, vocabulary):
    random = np.random.default_rng(0)
    return random.integers(2, vocabulary, (examples, length)).tolist()


def hugging_face(kind, large, recording):
    import torch
    import transformers
    from datasets import Dataset

    import datadiet
    from datadiet.torch import TrainerRecorder, keep_ids

    torch.manual_seed(0)
    batch, length, vocabulary = (32, 64, 4096) if large else (4, 16, 256)
    width, layers = (256, 2) if large else (32, 2)
    examples = batch * STEPS
    rows = texts(examples, length, vocabulary)
    watch = Watch()

    class Marks(transformers.TrainerCallback):
        def on_step_end(self, *args, **kwargs):
            watch.mark()

    if kind == "classes":
        labels = [row[0] % 10 for row in rows]
        config = transformers.BertConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=4,
            intermediate_size=4 * width,
            num_labels=10,
        )
        model = transformers.BertForSequenceClassification(config)
        recorder = datadiet.Recorder(examples, 10)
    else:
        labels = rows
        config = transformers.GPT2Config(
            vocab_size=vocabulary, n_embd=width, n_layer=layers, n_head=4, n_positions=length
        )
        config.eos_token_id = config.bos_token_id = 1
        model = transformers.GPT2LMHeadModel(config)
        recorder = datadiet.TokenRecorder(examples)
    data = Dataset.from_dict({"input_ids": rows, "labels": labels, "ids": range(examples)})
    data.set_format("torch")
    options = {
        "output_dir": tempfile.gettempdir(),
        "per_device_train_batch_size": batch,
        "num_train_epochs": 1,
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "save_strategy": "no",
        "logging_strategy": "no",
        "remove_unused_columns": False,
    }
    callbacks = [Marks()]
    if recording:
        callbacks.append(TrainerRecorder(recorder))
    if kind == "sft":
        import trl

        options |= {"bf16": False, "gradient_checkpointing": False, "max_length": None}
        trainer = trl.SFTTrainer(
            model=model,
            args=trl.SFTConfig(**options),
            train_dataset=data.with_format(None),
            processing_class=words(vocabulary),
            callbacks=callbacks,
        )
    else:
        trainer = transformers.Trainer(
            model=model,
            args=transformers.TrainingArguments(**options),
            train_dataset=data,
            data_collator=transformers.default_data_collator,
            callbacks=callbacks,
        )
    if recording:
        trainer.data_collator = keep_ids(trainer.data_collator)
    else:
        collate = trainer.data_collator
        trainer.data_collator = lambda rows: collate(
            [{name: of for name, of in row.items() if name != "ids"} for row in rows]
        )
    trainer.train()
    return watch.steps()


def words(vocabulary):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    known = {"[PAD]": 0, "[END]": 1, **{f"w{number}": number for number in range(2, vocabulary)}}
    model = Tokenizer(models.WordLevel(known, "w2"))
    return PreTrainedTokenizerFast(tokenizer_object=model, pad_token="[PAD]", eos_token="[END]")


def points(large):
    """Examples, their classes, and layers that take the time."""
    batch, size, width = (256, 1024, 2048) if large else (32, 64, 128)
    random = np.random.default_rng(0)
    x = random.normal(size=(batch * STEPS, size)).astype(np.float32)
    return x, random.integers(0, 10, len(x)), batch, width


def network(size, width):
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Linear(size, width), torch.nn.ReLU(), torch.nn.Linear(width, width)]
    return torch.nn.Sequential(*layers, torch.nn.ReLU(), torch.nn.Linear(width, 10))


def accelerate_loop(large, recording):
    import accelerate
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    import datadiet
    from datadiet.torch import indexed

    x, y, batch, width = points(large)
    data = indexed(TensorDataset(torch.tensor(x), torch.tensor(y)))
    model = network(x.shape[1], width)
    accelerator = accelerate.Accelerator(cpu=True)
    model, optimiser, loader = accelerator.prepare(
        model, torch.optim.SGD(model.parameters(), 0.1), DataLoader(data, batch, shuffle=True)
    )
    recorder, watch = datadiet.Recorder(len(x), 10), Watch()
    for inputs, labels, ids in loader:
        logits = model(inputs)
        accelerator.backward(torch.nn.functional.cross_entropy(logits, labels))
        optimiser.step()
        optimiser.zero_grad()
        if recording:
            began = time.process_time()
            recorder.update(*accelerator.gather_for_metrics((ids, logits, labels)))
            SPENT.append(time.process_time() - began)
        watch.mark()
    return watch.steps()


def lightning_loop(large, recording):
    import logging

    import lightning
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    import datadiet
    from datadiet.torch import LightningRecorder, indexed

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    x, y, batch, width = points(large)
    data = indexed(TensorDataset(torch.tensor(x), torch.tensor(y)))
    watch = Watch()

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = network(x.shape[1], width)

        def training_step(self, rows, batch_idx):
            losses = torch.nn.functional.cross_entropy(self.net(rows[0]), rows[1], reduction="none")
            return {"loss": losses.mean(), "losses": losses}

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    class Marks(lightning.Callback):
        def on_train_batch_end(self, *args):
            watch.mark()

    callbacks = [Marks()]
    if recording:
        callbacks.insert(0, LightningRecorder(datadiet.LossRecorder(len(x))))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", callbacks=callbacks, enable_model_summary=False, **quiet
    )
    trainer.fit(Model(), DataLoader(data, batch, shuffle=True))
    return watch.steps()


def keras_loop(large, recording):
    import keras

    import datadiet
    from datadiet.keras import KerasRecorder, with_ids

    x, y, batch, width = points(large)
    layers = [keras.layers.Dense(width, "relu"), keras.layers.Dense(width, "relu")]
    model = keras.Sequential([keras.Input((x.shape[1],)), *layers, keras.layers.Dense(10)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    watch = Watch()

    class Marks(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            watch.mark()

    callbacks = [Marks()]
    if recording:
        callbacks.insert(0, KerasRecorder(datadiet.Recorder(len(x), 10), model))
    labels = with_ids(y) if recording else y
    model.fit(x, labels, batch_size=batch, epochs=1, verbose=0, callbacks=callbacks)
    return watch.steps()


def jax_loop(large, recording):
    import jax
    import optax
    from flax import linen

    import datadiet

    x, y, batch, width = points(large)
    layers = [linen.Dense(width), linen.relu, linen.Dense(width), linen.relu]
    model, optimiser = linen.Sequential([*layers, linen.Dense(10)]), optax.sgd(0.1)
    parameters = model.init(jax.random.key(0), x[:1])
    state = optimiser.init(parameters)

    @jax.jit
    def step(parameters, state, x, y):
        def loss(parameters):
            logits = model.apply(parameters, x)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), logits

        gradients, logits = jax.grad(loss, has_aux=True)(parameters)
        updates, state = optimiser.update(gradients, state)
        return optax.apply_updates(parameters, updates), state, logits

    recorder, watch = datadiet.Recorder(len(x), 10), Watch()
    for ids in np.split(np.random.default_rng(1).permutation(len(x)), STEPS):
        parameters, state, logits = step(parameters, state, x[ids], y[ids])
        # As a loop that shows its loss does.
        jax.block_until_ready(parameters)
        if recording:
            began = time.process_time()
            recorder.update(ids, logits, y[ids])
            SPENT.append(time.process_time() - began)
        watch.mark()
    return watch.steps()


LOOPS = {
    "Hugging Face `Trainer`, classification (BERT)": lambda *how: hugging_face("classes", *how),
    "Hugging Face `Trainer`, causal LM (GPT-2)": lambda *how: hugging_face("tokens", *how),
    "TRL `SFTTrainer` (GPT-2)": lambda *how: hugging_face("sft", *how),
    "accelerate": accelerate_loop,
    "Lightning, losses": lightning_loop,
    "Keras 3 on PyTorch": keras_loop,
    "Flax": jax_loop,
}


def main():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--rounds", type=int, default=5)
    flags.add_argument("--only", help="loops whose name has this")
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    warnings.simplefilter("ignore")
    import datadiet.keras
    from datadiet.torch import LightningRecorder, TrainerRecorder

    timed(TrainerRecorder, "_after")
    timed(LightningRecorder, "on_train_batch_end")
    timed(datadiet.keras.KerasRecorder, "_look")
    load = os.getloadavg()[0]
    lines = [
        "| loop | step, ms | recording, ms | of the step | steps with, minus without, ms | small step, ms |"
        " recording, ms | with, minus without, ms |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, loop in LOOPS.items():
        if args.only and args.only not in name:
            continue
        found = []
        for large in (True, False):
            # The first of a process loads and compiles.
            loop(large, True)
            SPENT.clear()
            rounds = [(loop(large, False), loop(large, True)) for _ in range(args.rounds)]
            spent = statistics.median(SPENT)
            without, with_it = (
                statistics.median(step for one in rounds for step in one[which]) for which in (0, 1)
            )
            found += [without * 1e3, spent * 1e3, (with_it - without) * 1e3]
        step, cost, more, small, small_cost, small_more = found
        share = f"**{100 * cost / step:.2f} %**"
        line = f"| {name} | {step:.0f} | {cost:.2f} | {share} | {more:+.2f} | {small:.2f} | {small_cost:.2f} | {small_more:+.2f} |"
        lines.append(line)
        print(line, file=sys.stderr, flush=True)
    text = "\n".join(
        [
            *lines,
            "",
            f"Medians of the steps of {args.rounds} trainings of {STEPS} steps each, with and without a recorder in"
            f" turn, in one process on one thread; the first {WARM} of each are left out. CPU time of all threads of"
            " the process, which other work on the machine disturbs least. Recording: what the calls that record"
            " take, measured by themselves; the differences of whole steps are as uncertain as these steps are.",
            "",
            f"{readme.machine(sys.executable)} {readme.before(load)}",
        ]
    )
    print(text)
    if not args.only:
        readme.put("loops", text, args.readme)


if __name__ == "__main__":
    main()
