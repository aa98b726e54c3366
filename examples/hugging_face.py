"""The `Trainer` of Hugging Face as a trainer of datadiet: a vision transformer of random weights on digits.

Run it with ``python examples/hugging_face.py``; it needs datadiet, transformers, accelerate, torch and scikit-learn,
and downloads nothing.
"""

import math

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from transformers import (
    PrinterCallback,
    Trainer,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
    get_linear_schedule_with_warmup,
    set_seed,
)

import datadiet

images, labels = load_digits(return_X_y=True)
images = (images / 8 - 1).astype(np.float32).reshape(-1, 1, 8, 8)
train_images, test_images, train_labels, test_labels = train_test_split(
    images, labels, test_size=297, random_state=0, stratify=labels
)
BATCH = 25


class Recording(Trainer):
    """Records the logits of every training step."""

    def __init__(self, job, *arguments, **named):
        super().__init__(*arguments, **named)
        self.job = job
        self.remove_callback(PrinterCallback)

    def compute_loss(self, model, inputs, return_outputs=False, **named):
        ids = inputs.pop("ids")
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True, **named)
        self.job.record(ids.cpu(), outputs.logits.detach().float(), inputs["labels"])
        return (loss, outputs) if return_outputs else loss


def accuracy(model, images, labels):
    model.eval()
    with torch.no_grad():
        logits = model(torch.from_numpy(images).to(model.device)).logits
    return float((logits.argmax(1).cpu().numpy() == labels).mean())


@datadiet.trainer(labels=train_labels, name="digits", epochs=6, pass_="training minibatches, in training mode")
def train(job):
    set_seed(job.seed)
    config = ViTConfig(
        image_size=8,
        patch_size=2,
        num_channels=1,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_labels=len(job.classes),
    )
    model = ViTForImageClassification(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    # The schedule is of the whole training (`job.epochs`), which may stop before its end.
    steps = job.epochs * math.ceil(len(job.ids) / BATCH)
    schedule = get_linear_schedule_with_warmup(optimiser, steps // 10, steps)
    examples = [
        {"ids": id, "pixel_values": train_images[id], "labels": label}
        for id, label in zip(job.ids, job.labels, strict=True)
    ]
    for epoch in job.epochs_left(model, optimiser, schedule):
        # An epoch at a time, with a seed of its own: after an interruption the same again.
        how = TrainingArguments(
            job.folder / "hugging-face",
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            seed=(job.seed + epoch) % 2**31,
            remove_unused_columns=False,  # They have the ids.
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=torch.cuda.is_available(),
        )
        Recording(job, model, how, train_dataset=examples, optimizers=(optimiser, schedule)).train()
        job.checkpoint(model, optimiser, schedule)
    held_out = None
    if len(job.validation_ids):
        held_out = accuracy(model, train_images[job.validation_ids], job.validation_labels)
    return job.result(accuracy=accuracy(model, test_images, test_labels), validation=held_out)


if __name__ == "__main__":
    table = datadiet.score(train, replicas=2, at=[2, 6])
    print(table)
    print("hardest:", table.top(10, by="el2n@2")["id"])
