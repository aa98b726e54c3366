"""The losses of each image from detectors, whose training gives one mean for the batch.

A detector divides by the boxes (or matched anchors) of the whole batch, so that the batch's loss is no mean
of losses of images. What is given here is the loss of each image *as if it were a batch of its own*: it
does not depend on the images beside it. It depends on what is to be seen in an image, boxes above all,
which is why their number stands beside the scores, as ``length``.

The network is not run again where its loss is a function of its outputs: Ultralytics' models, and
torchvision's RetinaNet, FCOS and SSD. In torchvision's Faster R-CNN and its kin the first loss chooses what the
second is of: these are run once more for each image, without gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from datadiet.exceptions import IdError, StateError
from datadiet.torch.batches import each_tensor
from datadiet.torch.errors import BatchError, ModelError
from datadiet.torch.first_presentations import takes_any_ids

Losses = dict[str, Tensor]
"""B losses by the name of the part; their sum is an image's loss."""


class DetectionLosses:
    """The losses of the images of the last batch that a detector of torchvision was trained on.

    ::

        images_losses = DetectionLosses(model)                        # 1
        for images, targets, ids in loader:
            sum(model(images, targets).values()).backward()
            boxes = [len(target["boxes"]) for target in targets]
            recorder.update(ids, images_losses(), length=boxes)       # 2

    Parameters
    ----------
    model
        A detector of ``torchvision.models.detection``, or one that is called as these are. In training mode.

    Raises
    ------
    ModelError
        A model that is not called with images and targets.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._found: list[Mapping[str, Tensor]] | None = None
        self._batch: tuple[Any, Any] | None = None
        self._computes: Callable[..., Any] | None = getattr(model, "compute_loss", None)
        if self._computes is not None:
            model.compute_loss = self._compute  # type: ignore[assignment]
        self._hook = model.register_forward_pre_hook(self._before, with_kwargs=True)

    def close(self) -> None:
        """Leave the model as it was."""
        self._hook.remove()
        if self._computes is not None and "compute_loss" in vars(self.model):
            del self.model.compute_loss

    def __call__(self) -> Losses:
        """Of each part B losses, in the order of the last batch's images.

        Raises
        ------
        StateError
            No batch was trained on since the last call.
        """
        if self._batch is None:
            raise StateError(
                "the model was not trained on a batch since the last call; call it with images and targets in"
                " training mode first"
            )
        images, targets = self._batch
        found = self._found
        if found is None:
            found = self._one_by_one(images, targets)
        self._batch = self._found = None
        return {
            name: torch.stack([losses[name].detach().float() for losses in found])
            for name in found[0]
        }

    def _before(self, model: nn.Module, args: Any, kwargs: Any) -> None:
        if not model.training:
            return
        given = dict(zip(("images", "targets"), args, strict=False)) | kwargs
        if given.get("images") is None or given.get("targets") is None:
            raise ModelError(
                "the model is not called with images and targets, as torchvision's detectors are"
            )
        self._batch, self._found = (given["images"], given["targets"]), None

    def _compute(self, targets: Any, outputs: Any, anchors: Any, *rest: Any, **named: Any) -> Any:
        """What the model computes of the batch, and the same of each image."""
        assert self._computes is not None
        with torch.no_grad():
            self._found = [
                self._computes(
                    targets[image : image + 1],
                    {name: value[image : image + 1] for name, value in outputs.items()},
                    anchors[image : image + 1],
                    *(_of_image(value, image) for value in rest),
                    **{name: _of_image(value, image) for name, value in named.items()},
                )
                for image in range(len(targets))
            ]
        return self._computes(targets, outputs, anchors, *rest, **named)

    def _one_by_one(self, images: Any, targets: Any) -> list[Mapping[str, Tensor]]:
        model, batch = self.model, self._batch
        # Statistics of the batch are the training's own.
        norms = [
            part for part in model.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)
        ]
        training = [part.training for part in norms]
        devices = {parameter.device for parameter in model.parameters()}
        gpus = [device for device in devices if device.type == "cuda"]
        # Samples of anchors are drawn as if nothing had been in between.
        with torch.no_grad(), torch.random.fork_rng(gpus):
            try:
                for part in norms:
                    part.eval()
                found = [
                    model([image], [target]) for image, target in zip(images, targets, strict=True)
                ]
            finally:
                for part, was in zip(norms, training, strict=True):
                    part.train(was)
                self._batch = batch
        return found


def _of_image(value: Any, image: int) -> Any:
    """Of a list with a tensor an image that tensor, in a list; other values as they are."""
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], Tensor):
        return value[image : image + 1]
    return value


class YoloRecorder:
    """Records the losses of each image in the training of an Ultralytics model.

    ::

        model = YOLO("yolo26n.yaml")
        recorded = YoloRecorder(recorder, model)                     # before train
        model.train(data="data.yaml", mosaic=0.0, mixup=0.0, …)

    An id is the number of an image among the training's files, in the order of their names:
    `YoloRecorder.files`. **Mosaics and mixtures of images** have the loss of several images, which would be
    recorded as that of the first; they are refused: train with ``mosaic=0.0``, ``mixup=0.0`` and
    ``cutmix=0.0``, or score with a training that does.

    Several processes (``device=[0, 1]``) are started anew by Ultralytics, without this recorder: they are
    refused. Models whose criterion is not of the images' outputs alone (RT-DETR, YOLO-World's prompts) are
    not known to work.

    Parameters
    ----------
    recorder
        A `datadiet.LossRecorder` of as many examples as there are training images; or one of ids of any
        kind, made without their number: ids are then the files' names, as Ultralytics has them.
    model
        An ``ultralytics.YOLO``, before its ``train``.

    Attributes
    ----------
    files
        The image files by id, once the training has begun.
    boxes
        The number of boxes of each image, by id, as read from the label files.

    Raises
    ------
    BatchError, StateError, IdError
        In training: mixed images, several processes, another number of images than of examples.
    """

    def __init__(self, recorder: Any, model: Any) -> None:
        self.recorder = recorder
        self.files: list[str] = []
        self.boxes: list[int] = []
        self._ids: dict[str, int] = {}
        model.add_callback("on_train_start", self._on_train_start)
        model.add_callback("on_train_epoch_end", self._on_train_epoch_end)
        model.add_callback("on_train_end", self._on_train_end)

    def _on_train_start(self, trainer: Any) -> None:
        mixing = [
            name for name in ("mosaic", "mixup", "cutmix") if getattr(trainer.args, name, 0.0)
        ]
        if mixing:
            raise BatchError(
                f"{', '.join(mixing)} lay several images into one, whose loss is of none of them; train with"
                f" {', '.join(f'{name}=0.0' for name in mixing)}"
            )
        if trainer.world_size > 1:
            raise StateError(
                "Ultralytics' training of several processes cannot be recorded; use one device"
            )
        labels = sorted(trainer.train_loader.dataset.labels, key=lambda label: label["im_file"])
        self.files = [label["im_file"] for label in labels]
        self.boxes = [len(label["cls"]) for label in labels]
        self._ids = {file: number for number, file in enumerate(self.files)}
        if not takes_any_ids(self.recorder) and len(self.files) != self.recorder.n_examples:
            raise IdError(
                f"the training has {len(self.files)} images and the recorder {self.recorder.n_examples}"
                " examples; make it of as many"
            )
        if self.recorder.unfinished:
            raise StateError(
                "the recorder is in the middle of an epoch of an interrupted training; make a new one"
            )
        model = _unwrapped(trainer.model)
        if getattr(model, "criterion", None) is None:
            model.criterion = model.init_criterion()
        model.criterion = _Criterion(model.criterion, model, self._record)

    def _record(self, files: list[str], losses: Losses) -> None:
        ids = [self._ids[file] for file in files]
        boxes = [self.boxes[number] for number in ids]
        own = files if takes_any_ids(self.recorder) else ids
        self.recorder.update(own, losses, length=boxes)

    def _on_train_epoch_end(self, trainer: Any) -> None:
        self.recorder.end_epoch()

    def _on_train_end(self, trainer: Any) -> None:
        model = _unwrapped(trainer.model)
        if isinstance(model.criterion, _Criterion):
            model.criterion = model.criterion.was


class _Criterion:
    """A criterion that is also asked for each image of a batch that is trained on."""

    def __init__(
        self, was: Any, model: nn.Module, record: Callable[[list[str], Losses], None]
    ) -> None:
        self.was, self.model, self.record = was, model, record

    def __getattr__(self, name: str) -> Any:
        if name in ("was", "model", "record"):
            raise AttributeError(name)
        return getattr(self.was, name)

    def __call__(self, outputs: Any, batch: Mapping[str, Any]) -> Any:
        if self.model.training and torch.is_grad_enabled():
            self.record(list(batch["im_file"]), self._of_images(outputs, batch))
        return self.was(outputs, batch)

    def _of_images(self, outputs: Any, batch: Mapping[str, Any]) -> Losses:
        size = len(batch["im_file"])
        found: list[Tensor] = []
        names: list[str] = []
        with torch.no_grad():
            for image in range(size):

                def of_image(tensor: Tensor, image: int = image) -> Tensor:
                    return tensor[image : image + 1] if len(tensor) == size else tensor

                rows = batch["batch_idx"] == image
                mine = {
                    name: value[rows]
                    if isinstance(value, Tensor) and name in ("cls", "bboxes", "keypoints")
                    else value
                    for name, value in batch.items()
                }
                mine["batch_idx"] = torch.zeros_like(batch["batch_idx"][rows])
                for name in ("img", "masks", "sem_masks"):
                    if isinstance(batch.get(name), Tensor) and len(batch[name]) == size:
                        mine[name] = batch[name][image : image + 1]
                parts, items = self.was(each_tensor(of_image, outputs), mine)
                found.append(parts.detach().float().reshape(-1))
                names = list(items)
        losses = torch.stack(found, dim=1)
        if len(names) != len(losses):
            names = [f"part-{number}" for number in range(len(losses))]
        return {name.removesuffix("_loss"): part for name, part in zip(names, losses, strict=True)}


def _unwrapped(model: Any) -> Any:
    return getattr(model, "module", model)
