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


def test_texts_in_a_column(dataset):
    named = dataset.add_column("guid", [f"train-{key}" for key in dataset["key"]])
    kept = datadiet.datasets.select(named, ["train-60", "train-10"], id_column="guid")
    assert kept["text"][:] == ["d", "b"]
    with pytest.raises(datadiet.IdError, match="no row has guid train-1") as caught:
        datadiet.datasets.select(named, ["train-60", "train-1"], id_column="guid")
    assert (caught.value.row, caught.value.id) == (1, "train-1")
    with pytest.raises(datadiet.IdError, match="train-60 is given more than once"):
        datadiet.datasets.select(named, ["train-60"] * 2, id_column="guid")
    # Without a column an id is the number of a row.
    with pytest.raises(datadiet.DtypeError, match="whole numbers"):
        datadiet.datasets.select(named, ["train-60"])


def test_numbers_and_their_texts_are_the_same_ids():
    """Tables keep ids beyond 32 bits as texts."""
    large = datasets.Dataset.from_dict({"id": [10**12, 7, -3]})
    kept = datadiet.datasets.select(large, [str(10**12), "-3"], id_column="id")
    assert kept["id"][:] == [10**12, -3]
    texts = datasets.Dataset.from_dict({"id": ["30", "10"]})
    assert datadiet.datasets.select(texts, np.array([10]), id_column="id")["id"][:] == ["10"]


def test_a_table_of_other_ids_chooses_the_rows_of_their_owner(dataset):
    """The rows of such a table are in the order of its keys, not of the data set."""
    table = datadiet.ScoreTable.from_columns(
        {
            "id": range(6),
            "key": [10, 20, 30, 40, 50, 60],
            "el2n@1": [0.1, 0.2, 0.9, 0.3, 0.4, 0.8],
        }
    )
    kept = datadiet.datasets.select(dataset, table.keys(table.select(count=2)), id_column="key")
    assert kept["key"][:] == [30, 60]


def test_errors(dataset):
    with pytest.raises(datadiet.IdError, match="id 6 is not among the 6 rows"):
        datadiet.datasets.select(dataset, [0, 6])
    with pytest.raises(datadiet.IdError, match="id 2 is given more than once"):
        datadiet.datasets.select(dataset, [2, 2])
    with pytest.raises(datadiet.IdError, match=r"no row has key 11; .*table\.keys\(ids\)"):
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
