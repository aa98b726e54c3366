"""Losses of images from detectors and segmentation networks, and in Lightning, on small real models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packages import imported, installed

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from datadiet import LossRecorder, StateError  # noqa: E402
from datadiet.torch import BatchError, DetectionLosses, LossError, ModelError, indexed  # noqa: E402

EXAMPLES, CLASSES = 6, 3


def detector(name: str) -> Any:
    imported("torchvision")
    from torchvision.models import detection
    from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
    from torchvision.ops import MultiScaleRoIAlign

    torch.manual_seed(0)
    width = 32 if name == "FCOS" else 8
    backbone = nn.Sequential(
        nn.Conv2d(3, 8, 3, 4, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, width, 3, 2, 1)
    )
    backbone.out_channels = [width] if name == "SSD" else width
    size = {"min_size": 64, "max_size": 64}
    if name == "SSD":
        boxes = DefaultBoxGenerator([[2]], scales=[0.3, 0.6])
        return detection.ssd.SSD(backbone, boxes, (64, 64), CLASSES)
    if name == "FasterRCNN":
        anchors = AnchorGenerator(((16,),), ((0.5, 1.0, 2.0),))
        pool = MultiScaleRoIAlign(["0"], 4, 2)
        head = {"rpn_anchor_generator": anchors, "box_roi_pool": pool}
        return detection.FasterRCNN(backbone, CLASSES, **head, **size)
    ratios = ((1.0,),) if name == "FCOS" else ((0.5, 1.0),)
    anchors = AnchorGenerator(((16,),), ratios)
    return getattr(detection, name)(backbone, CLASSES, anchor_generator=anchors, **size)


@pytest.fixture
def images(chance: Any) -> tuple[list[Any], list[Any]]:
    """Images of one size with 1 to 3 boxes."""
    pictures, targets = [], []
    for number in range(EXAMPLES):
        pictures.append(torch.tensor(chance.random((3, 64, 64)), dtype=torch.float32))
        corners = chance.integers(0, 30, (1 + number % 3, 2))
        boxes = np.concatenate([corners, corners + chance.integers(10, 30, corners.shape)], 1)
        labels = chance.integers(1, CLASSES, len(boxes))
        targets.append(
            {"boxes": torch.tensor(boxes, dtype=torch.float32), "labels": torch.tensor(labels)}
        )
    return pictures, targets


@pytest.mark.parametrize("name", ["RetinaNet", "FCOS", "SSD", "FasterRCNN"])
def test_losses_of_images_of_torchvision(images: Any, name: str) -> None:
    """Each as of a batch of its own; the step's losses, gradients and random numbers are as without."""
    pictures, targets = images
    model, other = detector(name).train(), detector(name).train()
    each = DetectionLosses(model)
    recorder = LossRecorder(EXAMPLES)
    torch.manual_seed(5)
    losses = model(pictures, targets)
    sum(losses.values()).backward()
    found = each()
    after = torch.rand(1)
    torch.manual_seed(5)
    expected = other(pictures, targets)
    sum(expected.values()).backward()
    assert torch.equal(torch.rand(1), after)
    for part, value in expected.items():
        assert torch.equal(losses[part], value), part
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert (mine.grad is None) == (theirs.grad is None)
        assert mine.grad is None or torch.equal(mine.grad, theirs.grad)
    for mine, theirs in zip(model.buffers(), other.buffers(), strict=True):
        assert torch.equal(mine, theirs)
    # Statistics of a batch are not those of an image: the same features, without them.
    model.eval()
    for part in (model.head if hasattr(model, "head") else model.rpn, model):
        part.train()
    model.backbone.eval()
    model(pictures, targets)
    found = each()
    recorder.update(range(EXAMPLES), found, length=[len(one["boxes"]) for one in targets])
    recorder.end_epoch()
    table = recorder.table()
    with torch.no_grad():
        alone = [
            model([picture], [target]) for picture, target in zip(pictures, targets, strict=True)
        ]
    for part in found:
        values = [float(one[part]) for one in alone]
        np.testing.assert_allclose(table[f"loss:{part}@1"], values, rtol=1e-4, atol=1e-6)
    sums = [sum(float(value) for value in one.values()) for one in alone]
    np.testing.assert_allclose(table["loss@1"], sums, rtol=1e-4)
    assert table["length@1"].tolist() == [1, 2, 3, 1, 2, 3]


def test_detection_losses_leave_no_trace(images: Any) -> None:
    pictures, targets = images
    model = detector("RetinaNet").train()
    each = DetectionLosses(model)
    with pytest.raises(StateError, match="not trained on a batch"):
        each()
    with pytest.raises(ModelError, match="images and targets"):
        model(pictures)
    model(pictures[:2], targets=targets[:2])
    assert len(each()["classification"]) == 2
    with pytest.raises(StateError, match="since the last call"):
        each()
    model.eval()(pictures[:1])
    each.close()
    assert not model._forward_pre_hooks and "compute_loss" not in vars(model)


def test_ultralytics(tmp_path: Path) -> None:
    """In a process of its own, and in a folder that has all of its settings."""
    installed("ultralytics")
    program = Path(__file__).with_name("yolo_loops.py")
    home = {"YOLO_CONFIG_DIR": str(tmp_path), "YOLO_OFFLINE": "true", "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run(
        [sys.executable, program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | home,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]
    assert run.stderr.count("check_") >= program.read_text().count("\ndef check_")


def test_segmentation(chance: Any) -> None:
    """The mean over an image's labelled pixels, whatever the other images are."""
    imported("torchvision")
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    torch.manual_seed(0)
    model = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=CLASSES)
    model.eval()
    pictures = torch.tensor(chance.random((EXAMPLES, 3, 32, 32)), dtype=torch.float32)
    masks = torch.tensor(chance.integers(0, CLASSES, (EXAMPLES, 32, 32)))
    masks[1, :20] = 255
    recorder = LossRecorder(EXAMPLES)
    for ids in torch.randperm(EXAMPLES).split(4):
        with torch.no_grad():
            pixels = F.cross_entropy(
                model(pictures[ids])["out"], masks[ids], ignore_index=255, reduction="none"
            )
        counted = (masks[ids] != 255).sum((1, 2))
        recorder.update(ids, pixels.sum((1, 2)) / counted, length=counted)
    recorder.end_epoch()
    table = recorder.table()
    for number in range(EXAMPLES):
        with torch.no_grad():
            expected = F.cross_entropy(
                model(pictures[[number]])["out"], masks[[number]], ignore_index=255
            )
        assert table["loss@1"][number] == pytest.approx(expected.item(), rel=1e-4)
    assert table["length@1"][1] == 12 * 32


class TestLightning:
    """Losses and tokens; logits are in test_torch_recording.py."""

    def fit(self, step: Any, data: Any, callback: Any, folder: Any, module: Any) -> None:
        lightning = imported("lightning")

        class Model(lightning.LightningModule):
            def __init__(self) -> None:
                super().__init__()
                self.net = module

            def training_step(self, batch: Any, batch_idx: int) -> Any:
                return step(self.net, batch)

            def configure_optimizers(self) -> Any:
                return torch.optim.SGD(self.parameters(), lr=0.0)

        trainer = lightning.Trainer(
            max_epochs=2,
            callbacks=[callback],
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        trainer.fit(Model(), DataLoader(indexed(data), batch_size=4, shuffle=True))

    def test_losses(self, tmp_path: Any) -> None:
        from datadiet.torch import LightningRecorder

        torch.manual_seed(0)
        data, net = TensorDataset(torch.randn(11, 5), torch.randn(11, 2)), nn.Linear(5, 2)

        def step(model: Any, batch: Any) -> Any:
            x, y, _ = batch
            each = (model(x) - y).square()
            parts = {"first": each[:, 0], "second": each[:, 1]}
            return {"loss": each.mean(), "losses": parts, "length": [2] * len(x)}

        recorder = LossRecorder(11)
        self.fit(step, data, LightningRecorder(recorder), tmp_path, net)
        table = recorder.table()
        expected = (net(data.tensors[0]) - data.tensors[1]).square().detach().numpy()
        np.testing.assert_allclose(table["loss:first@2"], expected[:, 0], rtol=1e-5)
        np.testing.assert_allclose(table["loss@2"], expected.sum(1), rtol=1e-5)
        assert recorder.unseen.tolist() == [0, 0] and table["length@2"].tolist() == [2] * 11

        def one(model: Any, batch: Any) -> Any:
            loss = model(batch[0]).mean()
            return {"loss": loss, "losses": loss.detach()}

        with pytest.raises(LossError, match="one loss for the batch"):
            self.fit(one, data, LightningRecorder(LossRecorder(11)), tmp_path, net)
        without = LightningRecorder(LossRecorder(11))
        with pytest.raises(BatchError, match='"losses": losses}'):
            self.fit(lambda net, batch: net(batch[0]).mean(), data, without, tmp_path, net)

    @pytest.mark.parametrize("given", ["logits", "log_probs"])
    def test_tokens(self, tmp_path: Any, given: str) -> None:
        import datadiet
        from datadiet.torch import LightningRecorder

        torch.manual_seed(0)
        words = torch.randint(0, 9, (11, 6))
        labels = words.clone()
        labels[3, 4:] = -100
        net = nn.Embedding(9, 9)

        def step(model: Any, batch: Any) -> Any:
            words, labels, ids = batch
            logits = model(words)
            own = logits.flatten(0, 1)[: 6 * len(words)]
            loss = F.cross_entropy(own, labels.flatten().clamp(min=0))
            if given == "logits":
                return {"loss": loss, "logits": logits}
            targets = labels[:, 1:].clamp(min=0)
            log_probs = logits[:, :-1].log_softmax(-1).gather(2, targets[..., None])[..., 0]
            return {"loss": loss, "log_probs": log_probs, "labels": labels, "ids": ids}

        recorder = datadiet.TokenRecorder(11)
        callback = LightningRecorder(recorder, shift=True)
        self.fit(step, TensorDataset(words, labels), callback, tmp_path, net)
        expected = datadiet.token_scores(net(words).detach(), labels, shift=True).examples
        table = recorder.table()
        for name in ("loss", "loss-sum", "length", *(["el2n"] if given == "logits" else [])):
            np.testing.assert_allclose(table[f"{name}@2"], expected[name], rtol=1e-5)
        with pytest.raises(BatchError, match="shift=True"):
            LightningRecorder(datadiet.TokenRecorder(11))

    @pytest.mark.parametrize("returned", [False, True])
    def test_padding_predicts_nothing(self, tmp_path: Any, returned: bool) -> None:
        """The first token of a text that is padded on the left has no loss, as without padding."""
        import datadiet
        from datadiet.torch import LightningRecorder

        torch.manual_seed(0)
        words, short = torch.randint(1, 9, (11, 6)), torch.arange(11) % 3
        mask = (torch.arange(6) >= short[:, None]).long()
        words = words * mask
        net = nn.Embedding(9, 9)

        class Texts(TensorDataset):
            def __getitem__(self, index: int) -> Any:
                row, there = super().__getitem__(index)
                labels = row.masked_fill(there == 0, -100)
                name = "there" if returned else "attention_mask"
                return {"input_ids": row, name: there, "labels": labels}

        def step(model: Any, batch: Any) -> Any:
            logits = model(batch["input_ids"])
            more = {"attention_mask": batch["there"]} if returned else {}
            return {"loss": logits.square().mean(), "logits": logits, **more}

        recorder = datadiet.TokenRecorder(11)
        callback = LightningRecorder(recorder, shift=True)
        self.fit(step, Texts(words, mask), callback, tmp_path, net)
        table = recorder.table()
        for row, start in enumerate(short.tolist()):
            text = words[row : row + 1, start:]
            alone = datadiet.token_scores(net(text).detach(), text, shift=True).examples
            for name in ("loss", "loss-sum", "length", "el2n"):
                assert table[f"{name}@2"][row] == pytest.approx(alone[name][0], rel=1e-4), name
