"""A data set of datadiet in memory, ready for training: every crop of a training image is a view."""

import json

import common
import torch
from safetensors import safe_open
from torch import Tensor


class Images:
    """The images in the training precision, NHWC, normalised; those of the training set reflect-padded."""

    def __init__(self, path: str, pad: int, dtype: torch.dtype, limit: int | None = None):
        self.pad, self.dtype = pad, dtype
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            images = file.get_slice("train.images")[:limit]
            self.labels = file.get_slice("train.labels")[:limit].to(torch.int64)
            test_images = file.get_tensor("test.images")
            self.test_labels = file.get_tensor("test.labels").to(torch.int64)
        self.mean = torch.tensor(json.loads(metadata["mean"]))
        self.scale = 1 / torch.tensor(json.loads(metadata["std"]))
        self.classes = int(self.labels.max()) + 1
        self.test = self.normalised(test_images)
        count, self.height, self.width, self.channels = images.shape

        # Reflect-pad by gathering rows and columns: no detour over NCHW.
        rows = common.mirrored(self.height, pad)
        columns = common.mirrored(self.width, pad)
        self.padded = torch.empty(
            count, self.height + 2 * pad, self.width + 2 * pad, self.channels, dtype=self.dtype
        )
        for start in range(0, count, 4096):
            part = self.normalised(images[start : start + 4096])
            self.padded[start : start + 4096] = part[:, rows][:, :, columns]

        # [image, top, left] is then a whole crop, in rows of contiguous pixels: a view, not a copy.
        image, row, pixel, _ = self.padded.stride()
        self.crops = self.padded.as_strided(
            (count, 2 * pad + 1, 2 * pad + 1, self.height, self.width * self.channels),
            (image, row, pixel, row, 1),
        )

    def normalised(self, images: Tensor) -> Tensor:
        out = torch.empty(images.shape, dtype=self.dtype)
        for start in range(0, len(images), 4096):
            part = images[start : start + 4096].to(torch.float32)
            out[start : start + 4096] = part.mul_(1 / 255).sub_(self.mean).mul_(self.scale)
        return out

    def __len__(self) -> int:
        return len(self.labels)

    def augmented(self, ids: Tensor, flip: Tensor, random: torch.Generator) -> Tensor:
        """Random crops of these images, flipped where so marked: NCHW in shape, channels-last in memory."""
        top, left = torch.randint(0, 2 * self.pad + 1, (2, len(ids)), generator=random)
        images = self.crops[ids, top, left]
        images = images.view(-1, self.height, self.width, self.channels)
        images[flip] = images[flip].flip(2)
        return images.permute(0, 3, 1, 2)

    def plain(self, part: slice) -> Tensor:
        pad = self.pad
        images = self.padded[part, pad : pad + self.height, pad : pad + self.width]
        return images.contiguous().permute(0, 3, 1, 2)
