"""Recording in two processes of one training: Lightning's and Hugging Face's, with gloo on the CPU."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import distributed, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from datadiet import StateError  # noqa: E402
from datadiet.torch import Recorder, indexed  # noqa: E402

# Neither examples by ranks nor by batches come out even.
EXAMPLES, CLASSES, EPOCHS, BATCH, RANKS = 19, 3, 3, 4, 2
STEPS = -(-EXAMPLES // (BATCH * RANKS))
"""Steps of an epoch on each rank."""

Ranks = list[dict[str, Any]]


def in_two_processes(work: Callable[[Path], dict[str, Any]], folder: Path) -> Ranks:
    """What `work` gives on each rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_rank, (work, folder, port), nprocs=RANKS)
    return [pickle.loads((folder / f"rank-{rank}").read_bytes()) for rank in range(RANKS)]


def _rank(rank: int, work: Callable[[Path], dict[str, Any]], folder: Path, port: int) -> None:
    # What torchrun sets.
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(RANKS)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0"}
    torch.set_num_threads(1)
    result = work(folder)
    (folder / f"rank-{rank}").write_bytes(pickle.dumps(result))
    distributed.destroy_process_group()


def examples() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(EXAMPLES, 5, generator=generator)
    return TensorDataset(inputs, torch.randint(CLASSES, (EXAMPLES,), generator=generator))


def result(callback: Any, shown: list[list[int]]) -> dict[str, Any]:
    """What a rank recorded, and the ids that its sampler showed, by epoch; the ranks as one."""
    recorder = callback.recorder
    own = {"recorder": recorder, "repeated": callback.repeated, "shown": shown}
    # As the callbacks' documentation has it.
    ranks: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(ranks, recorder)
    on_both = ranks[0].merge_ranks(*ranks[1:])
    return own | {"merged": ranks[0], "on both": on_both}


def check_whole(ranks: Ranks) -> None:
    """Each rank recorded every id once an epoch that it showed it, and the ranks make a whole."""
    for rank in ranks:
        repeats = [len(ids) - len(set(ids)) for ids in rank["shown"]]
        assert rank["repeated"] == sum(repeats)
        unseen = [EXAMPLES - len(set(ids)) for ids in rank["shown"]]
        assert rank["recorder"].unseen.tolist() == unseen
        assert rank["merged"].unseen.tolist() == [0] * EPOCHS
        pairs = zip(*(each["shown"] for each in ranks), strict=True)
        assert rank["on both"] == sum(len(set(one) & set(two)) for one, two in pairs)


def check_same(ranks: Ranks, again: Ranks) -> None:
    """Bit for bit."""
    for one, two in zip(ranks, again, strict=True):
        assert one["repeated"] == two["repeated"]
        state = two["recorder"].state_dict()
        for name, values in one["recorder"].state_dict().items():
            np.testing.assert_array_equal(state[name], values, err_msg=name)


class Classifier(nn.Module):
    """A model as the Trainer calls it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(5, CLASSES)

    def forward(self, inputs: Any, labels: Any) -> Any:
        logits = self.layer(inputs)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


def hugging_face(folder: Path, resume: Any = None) -> dict[str, Any]:
    """A training with the Trainer, from its start or from a checkpoint."""
    transformers = pytest.importorskip("transformers")
    from datadiet.torch import TrainerRecorder

    shown: list[list[int]] = []

    class Epochs(transformers.TrainerCallback):
        def on_epoch_begin(self, *args: Any, **kwargs: Any) -> None:
            shown.append([])

    def collate(items: list[Any]) -> dict[str, Any]:
        shown[-1] += [item["ids"] for item in items]
        return {
            key: torch.stack([torch.as_tensor(item[key]) for item in items]) for key in items[0]
        }

    callback = TrainerRecorder(Recorder(EXAMPLES, CLASSES))
    arguments = transformers.TrainingArguments(
        str(folder),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        save_strategy="steps",
        save_steps=1,
        report_to="none",
        use_cpu=True,
        ddp_backend="gloo" if "RANK" in os.environ else None,
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = transformers.Trainer(
        model=Classifier(),
        args=arguments,
        train_dataset=indexed([{"inputs": x, "labels": label} for x, label in examples()]),
        data_collator=collate,
        callbacks=[callback, Epochs()],
    )
    trainer.train(resume_from_checkpoint=resume)
    return result(callback, shown)


def hugging_face_and_again(folder: Path) -> dict[str, Any]:
    whole = hugging_face(folder)
    # In the middle of the second epoch, and at its end.
    for name, steps in ("middle", STEPS + 1), ("end", 2 * STEPS):
        whole[name] = hugging_face(folder, str(folder / f"checkpoint-{steps}"))
    return whole


def test_hugging_face_trainer(tmp_path: Path) -> None:
    """accelerate repeats the epoch's first examples on both ranks; checkpoints have both."""
    pytest.importorskip("transformers")
    ranks = in_two_processes(hugging_face_and_again, tmp_path)
    check_whole(ranks)
    assert [rank["repeated"] for rank in ranks] == [EPOCHS, EPOCHS]
    for name in ("middle", "end"):
        check_same(ranks, [rank[name] for rank in ranks])

    checkpoint = tmp_path / f"checkpoint-{STEPS}"
    with pytest.raises(StateError, match="the recorders of 2 processes, and this training has 1"):
        hugging_face(tmp_path, str(checkpoint))


def lightning_fit(folder: Path, resume: Any = None, **kwargs: Any) -> dict[str, Any]:
    """A training with Lightning, from its start or from a checkpoint."""
    lightning = pytest.importorskip("lightning")
    from lightning.pytorch.callbacks import ModelCheckpoint

    from datadiet.torch import LightningRecorder

    shown: list[list[int]] = []

    class Model(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.layer = nn.Linear(5, CLASSES)

        def on_train_epoch_start(self) -> None:
            shown.append([])

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            inputs, labels, ids = batch
            shown[-1] += ids.tolist()
            logits = self.layer(inputs)
            return {"loss": F.cross_entropy(logits, labels), "logits": logits}

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.5)

    callback = LightningRecorder(Recorder(EXAMPLES, CLASSES))
    arguments = {"max_epochs": EPOCHS, "accelerator": "cpu", "logger": False}
    arguments |= {"enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(
        callbacks=[callback, ModelCheckpoint(folder, "{step}", save_top_k=-1)],
        default_root_dir=folder,
        **arguments | kwargs,
    )
    trainer.fit(
        Model(), DataLoader(indexed(examples()), batch_size=BATCH, shuffle=True), ckpt_path=resume
    )
    return result(callback, shown)


def lightning_fit_and_again(folder: Path) -> dict[str, Any]:
    def fit(resume: Any = None) -> dict[str, Any]:
        return lightning_fit(folder, resume, devices=RANKS, strategy="ddp")

    return fit() | {"end": fit(folder / f"step={2 * STEPS}.ckpt")}


def test_lightning(tmp_path: Path) -> None:
    """A checkpoint, which the first rank writes, has the recorders of both."""
    pytest.importorskip("lightning")
    ranks = in_two_processes(lightning_fit_and_again, tmp_path)
    check_whole(ranks)
    check_same(ranks, [rank["end"] for rank in ranks])
    with pytest.raises(StateError, match="the recorders of 2 processes, and this training has 1"):
        lightning_fit(tmp_path, tmp_path / f"step={STEPS}.ckpt")
