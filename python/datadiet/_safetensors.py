"""Named tensors as safetensors: a header in JSON, then the values, little-endian and row-major.

Tensors of PyTorch come back as such, which ``format`` in the header's metadata says; other arrays as NumPy's.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from datadiet.exceptions import TrainerError

_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}


def dump(tensors: Mapping[str, Any]) -> bytes:
    """A file of tensors of PyTorch, or of what NumPy takes for an array.

    Raises
    ------
    TrainerError
        A name that is no text; values of a type that the format does not have.
    """
    header: dict[str, Any] = {}
    values: list[bytes] = []
    of_torch = any(_is_torch(tensor) for tensor in tensors.values())
    header["__metadata__"] = {"format": "pt" if of_torch else "np"}
    at = 0
    for name, tensor in tensors.items():
        if not isinstance(name, str):
            raise TrainerError(f"weights have names, and {name!r} is none")
        dtype, shape, content = _of_torch(tensor) if _is_torch(tensor) else _of_numpy(tensor)
        if dtype not in _NAMES:
            raise TrainerError(
                f"{name} is of {dtype}, which safetensors do not have: weights are arrays of numbers"
            )
        header[name] = {
            "dtype": _NAMES[dtype],
            "shape": shape,
            "data_offsets": [at, at + len(content)],
        }
        values.append(content)
        at += len(content)
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *values])


def load(path: Path) -> dict[str, Any]:
    """The tensors of a file, by name, in their order in the file."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    of_torch = header.pop("__metadata__", {}).get("format") == "pt"
    tensors = {}
    for name, about in sorted(header.items(), key=lambda item: item[1]["data_offsets"][0]):
        start, end = about["data_offsets"]
        # A copy that may be written to.
        values = bytearray(content[8 + length + start : 8 + length + end])
        dtype = _DTYPES[about["dtype"]]
        to = _to_torch if of_torch else _to_numpy
        tensors[name] = to(values, dtype, about["shape"])
    return tensors


def _is_torch(value: Any) -> bool:
    return type(value).__module__.startswith("torch") or hasattr(value, "detach")


def _of_torch(tensor: Any) -> tuple[str, list[int], bytes]:
    import torch

    plain = tensor.detach().cpu().contiguous()
    content = plain.reshape(-1).view(torch.uint8).numpy().tobytes()
    return str(plain.dtype).removeprefix("torch."), list(plain.shape), content


def _of_numpy(values: Any) -> tuple[str, list[int], bytes]:
    array = np.asarray(values)
    plain = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return array.dtype.name, list(array.shape), plain.tobytes()


def _to_torch(values: bytearray, dtype: str, shape: list[int]) -> Any:
    import torch

    kind = getattr(torch, dtype)
    if not values:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(values, dtype=kind).reshape(shape)


def _to_numpy(values: bytearray, dtype: str, shape: list[int]) -> Any:
    if dtype == "bfloat16":
        import ml_dtypes  # What made an array of it.

        return np.frombuffer(values, ml_dtypes.bfloat16).reshape(shape)
    return np.frombuffer(values, np.dtype(dtype).newbyteorder("<")).reshape(shape)
