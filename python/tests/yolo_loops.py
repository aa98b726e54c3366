"""What test_loops_images.py runs with Ultralytics, in a folder: each check is a function, this file the program.

Its trainer changes settings of PyTorch for the whole process, so it has one of its own. No weights are loaded and
nothing is fetched: small networks of its own start at random.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from ultralytics import YOLO
from ultralytics.utils.loss import v8DetectionLoss

from datadiet import IdError, LossRecorder
from datadiet.torch import BatchError, YoloRecorder

EXAMPLES, EPOCHS = 6, 2
DATA = Path("data.yaml").resolve()


def make_images():
    """Coloured boxes on grey, 0 to 3 an image."""
    random = np.random.default_rng(0)
    for part in ("images", "labels"):
        Path(part).mkdir()
    for number in range(EXAMPLES):
        pixels = np.full((64, 64, 3), 128, np.uint8)
        lines = []
        for _ in range(number % 4):
            left, top = random.integers(0, 32, 2)
            width, height = random.integers(12, 32, 2)
            kind = int(random.integers(0, 2))
            pixels[top : top + height, left : left + width, kind] = 255
            middle = (left + width / 2) / 64, (top + height / 2) / 64
            lines.append(f"{kind} {middle[0]} {middle[1]} {width / 64} {height / 64}")
        # Names are not in the order in which they were made.
        name = f"image-{(number * 5) % EXAMPLES}"
        Image.fromarray(pixels).save(f"images/{name}.png")
        Path(f"labels/{name}.txt").write_text("\n".join(lines))
    DATA.write_text(f"path: {Path.cwd()}\ntrain: images\nval: images\nnames: [red, green]\n")


def train(recorder, network="yolov8n.yaml", batch=4, **kwargs):
    model = YOLO(network)
    recorded = YoloRecorder(recorder, model)
    means = []
    model.add_callback(
        "on_train_epoch_end",
        lambda trainer: means.append({name: float(of) for name, of in trainer.tloss.items()}),
    )
    options = {
        "data": str(DATA),
        "epochs": EPOCHS,
        "imgsz": 64,
        "batch": batch,
        "nbs": batch,
        "device": "cpu",
        "workers": 0,
        "amp": False,
        "plots": False,
        "val": False,
        "pretrained": False,
        "verbose": False,
        "project": str(Path.cwd() / "runs"),
        "mosaic": 0.0,
        "optimizer": "SGD",
    }
    model.train(**options | kwargs)
    return recorded, means


def check_one_image_a_batch_has_the_loss_that_the_trainer_shows():
    recorder = LossRecorder(EXAMPLES, keep_at=[1, 2])
    recorded, means = train(recorder, batch=1)
    table = recorder.table()
    assert recorder.unseen.tolist() == [0] * EPOCHS
    for epoch, shown in enumerate(means, 1):
        for part in ("box", "cls", "dfl"):
            mean = table[f"loss:{part}@{epoch}"].mean()
            np.testing.assert_allclose(mean, shown[f"{part}_loss"], rtol=1e-4, atol=1e-6)
    names = [Path(file).name for file in recorded.files]
    assert names == sorted(names) and len(names) == EXAMPLES
    lines = [
        len(Path("labels", f"{Path(name).stem}.txt").read_text().split("\n")) for name in names
    ]
    empty = [not Path("labels", f"{Path(name).stem}.txt").read_text() for name in names]
    expected = [0 if none else count for count, none in zip(lines, empty, strict=True)]
    assert recorded.boxes == expected and max(expected) == 3
    assert table["length@2"].tolist() == expected
    # Without boxes there is nothing to fit.
    assert (table["loss:box@2"][np.array(expected) == 0] == 0).all()
    assert (table["loss:box@2"][np.array(expected) > 0] > 0).all()


def check_images_of_a_batch_are_as_of_batches_of_their_own():
    seen = []
    compute = v8DetectionLoss.loss

    def look(self, preds, batch):
        if torch.is_grad_enabled():
            seen.append((self, preds, {name: batch[name] for name in KEYS}))
        return compute(self, preds, batch)

    KEYS = ("im_file", "batch_idx", "cls", "bboxes")
    v8DetectionLoss.loss = look
    try:
        recorder = LossRecorder(EXAMPLES)
        recorded, _ = train(recorder, epochs=1)
    finally:
        v8DetectionLoss.loss = compute
    table, rows = recorder.table(), 0
    for criterion, preds, batch in seen:
        for place, file in enumerate(batch["im_file"]):
            mine = batch["batch_idx"] == place
            one = {"cls": batch["cls"][mine], "bboxes": batch["bboxes"][mine]}
            one["batch_idx"] = torch.zeros(int(mine.sum()))
            sliced = {name: preds[name][[place]] for name in ("boxes", "scores")}
            sliced["feats"] = [level[[place]] for level in preds["feats"]]
            with torch.no_grad():
                loss, _ = compute(criterion, sliced, one)
            found = table["loss@1"][recorded.files.index(file)]
            np.testing.assert_allclose(found, float(loss.sum()), rtol=1e-5)
            rows += 1
    assert rows == EXAMPLES


def check_networks_with_two_heads():
    recorder = LossRecorder(EXAMPLES)
    train(recorder, "yolo26n.yaml", epochs=1)
    table = recorder.table()
    assert np.isfinite(table["loss@1"]).all() and len(set(table["loss@1"].tolist())) == EXAMPLES


def check_what_cannot_be_recorded():
    for recorder, kwargs, error, text in (
        (LossRecorder(EXAMPLES), {"mosaic": 1.0}, BatchError, "train with mosaic=0.0"),
        (LossRecorder(EXAMPLES + 1), {}, IdError, "6 images and the recorder 7"),
    ):
        try:
            train(recorder, epochs=1, **kwargs)
        except error as found:
            assert text in str(found), str(found)
        else:
            raise AssertionError(f"no {error.__name__}: {text}")


if __name__ == "__main__":
    make_images()
    for name, check in [*globals().items()]:
        if name.startswith("check_"):
            check()
            print(name, file=sys.stderr)
