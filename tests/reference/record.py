"""Reading and writing the files that the reference scripts exchange with the tests."""

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor


def read(path: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}


def write(path: str, tensors: dict[str, Tensor]) -> None:
    save_file({name: value.detach().clone().contiguous() for name, value in tensors.items()}, path)
