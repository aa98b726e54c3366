"""Reading and writing the files that the reference scripts exchange with the tests."""

import sys
from collections.abc import Callable

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

Answer = Callable[[dict[str, str], dict[str, Tensor]], dict[str, Tensor]]


def answer_all(usage: str, answer: Answer) -> None:
    """Write to every second file of the command line what `answer` makes of the one before it."""
    files = sys.argv[1:]
    if not files or len(files) % 2:
        sys.exit(usage)
    torch.set_num_threads(2)
    for source, target in zip(files[::2], files[1::2], strict=True):
        write(target, answer(*read(source)))


def read(path: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}


def write(path: str, tensors: dict[str, Tensor]) -> None:
    save_file({name: value.detach().clone().contiguous() for name, value in tensors.items()}, path)
