"""Subsets of Hugging Face data sets."""

import datasets
import numpy as np
import pytest

import datadiet


@pytest.fixture
def dataset():
    return datasets.Dataset.from_dict({"text": list("abcdef"), "key": [30, 10, 20, 60, 50, 40]})


def test_rows_are_ids(dataset):
    ids = datadiet.select([0.3, 0.9, 0.1, 0.5, 0.2, 0.8], 0.5)
    kept = datadiet.datasets.select(dataset, ids)
    assert isinstance(kept, datasets.Dataset)
    assert kept["text"][:] == ["b", "d", "f"]


def test_ids_in_a_column(dataset):
    kept = datadiet.datasets.select(dataset.shuffle(seed=1), [10, 60], id_column="key")
    assert kept["text"][:] == ["b", "d"]
    kept = datadiet.datasets.select(dataset.with_format("numpy"), [60], id_column="key")
    assert kept["text"][:].tolist() == ["d"]


def test_errors(dataset):
    with pytest.raises(datadiet.IdError, match="id 6 is none of the 6 rows"):
        datadiet.datasets.select(dataset, [0, 6])
    with pytest.raises(datadiet.IdError, match="id 2 is given more than once"):
        datadiet.datasets.select(dataset, [2, 2])
    with pytest.raises(datadiet.IdError, match="no row of the data set has key 11"):
        datadiet.datasets.select(dataset, [11], id_column="key")
    doubled = datasets.concatenate_datasets([dataset, dataset])
    with pytest.raises(datadiet.IdError, match="more than once"):
        datadiet.datasets.select(doubled, [10], id_column="key")
    with pytest.raises(datadiet.DtypeError, match="whole numbers"):
        datadiet.datasets.select(dataset, [0.5])
    with pytest.raises(datadiet.DtypeError, match="one split"):
        datadiet.datasets.select(datasets.DatasetDict(train=dataset), [0])
    with pytest.raises(datadiet.DtypeError, match="IterableDataset"):
        datadiet.datasets.select(dataset.to_iterable_dataset(), [0])


def test_nothing(dataset):
    assert len(datadiet.datasets.select(dataset, np.array([], dtype=np.uint32))) == 0
