import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

# Before anything imports Keras, whose own choice is TensorFlow, and which writes to the user's folder.
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("KERAS_HOME", os.path.join(tempfile.gettempdir(), "datadiet-keras"))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Examples in texts are looked for in the package alone: here it would import programs that tests start.

    Some packages that those import, as Ultralytics does, change how NumPy prints for the whole process.
    """
    helper = collection_path.parent == Path(__file__).parent and collection_path.suffix == ".py"
    return True if helper and not collection_path.name.startswith("test_") else None


@pytest.fixture
def chance():
    return np.random.default_rng(20210715)


@pytest.fixture
def batch(chance):
    """200 examples, 7 classes: logits as of a half-trained network, some of them very sure."""
    labels = chance.integers(0, 7, 200)
    logits = chance.normal(0, 2, (200, 7))
    logits[np.arange(200), labels] += chance.normal(2, 3, 200)
    logits[:10] *= 20
    return logits.astype(np.float32), labels


@pytest.fixture
def trajectory(chance):
    """12 epochs, 300 examples, 5 classes."""
    labels = chance.integers(0, 5, 300)
    logits = chance.normal(0, 1.5, (12, 300, 5))
    logits[:, np.arange(300), labels] += np.linspace(0, 2, 12)[:, None] * chance.normal(1, 1, 300)
    return logits.astype(np.float32), labels
