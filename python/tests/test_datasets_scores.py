"""Scores and labels in data sets of Hugging Face, to disk and back."""

from types import SimpleNamespace

import datasets
import hub_server
import numpy as np
import pyarrow.parquet
import pytest
from packages import imported
from test_hub import hub, run, scored  # noqa: F401

import datadiet
import datadiet.hub
from datadiet.datasets import ids, labels, relabel, save, with_scores


@pytest.fixture
def dataset():
    features = datasets.Features(
        {
            "guid": datasets.Value("string"),
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
        }
    )
    rows = {"guid": list("dcbae"), "text": ["…"] * 5, "label": [1, 1, 0, 0, 1]}
    return datasets.Dataset.from_dict(rows, features=features)


@pytest.fixture
def scores():
    """As `datadiet ingest` makes it: in the order of the keys."""
    return datadiet.ScoreTable.from_columns(
        {
            "id": range(5),
            "key": list("abcde"),
            "label": [0, 0, 1, 1, 1],
            "class": ["cat", "cat", "dog", "dog", "dog"],
            "el2n@4": [0.5, 0.25, np.nan, 1.0, 0.75],
            "el2n@4.se": [0.0] * 5,
            "predicted@4": [0, 1, 1, 0, 1],
        },
        {"datadiet": '{"version": 1, "made_by": "0.2.0", "source": "a test", "columns": []}'},
    )


def test_scores_by_id(dataset, scores):
    joined = with_scores(dataset, scores, ["el2n@end", "predicted@4"], id_column="guid")
    assert joined["el2n@4"][:] == [1.0, None, 0.25, 0.5, 0.75]
    assert joined["predicted@4"][:] == [0, 1, 1, 0, 1]
    assert joined.features["label"].names == ["cat", "dog"]
    assert joined.features["el2n@4"].dtype == "float32"
    shuffled = dataset.shuffle(seed=3).select(range(3))
    again = with_scores(shuffled, scores, id_column="guid")
    of = dict(zip(joined["guid"][:], joined["el2n@4"][:], strict=True))
    assert again["el2n@4"][:] == [of[one] for one in shuffled["guid"][:]]
    assert again.column_names == [*dataset.column_names, "el2n@4"]


def test_numbers_of_rows_only_where_asked_and_where_they_fit(dataset, scores):
    with pytest.raises(datadiet.IdError, match="Name the column that holds the ids .*by_row=True"):
        with_scores(dataset, scores)
    with pytest.raises(datadiet.IdError, match="not both"):
        with_scores(dataset, scores, id_column="guid", by_row=True)
    with pytest.raises(datadiet.IdError, match="ids of its own"):
        with_scores(dataset, scores, by_row=True)
    whole = datadiet.ScoreTable.from_columns({"label": [1, 1, 0, 0, 1], "aum@1": np.arange(5.0)})
    assert with_scores(dataset, whole, ["aum@1"], by_row=True)["aum@1"][:] == [0, 1, 2, 3, 4]
    with pytest.raises(datadiet.ShapeError, match="has 4 rows and the table 5"):
        with_scores(dataset.select(range(4)), whole, by_row=True)
    reversed_ = dataset.select([4, 3, 2, 1, 0])
    with pytest.raises(datadiet.LabelError, match="2 of 5 labels .*first in row 1"):
        with_scores(reversed_, whole, by_row=True)
    assert len(with_scores(reversed_, whole, by_row=True, check_labels=False)) == 5
    # By their names, where both have names: the numbers of classes may be others.
    named = datadiet.ScoreTable.from_columns(
        {
            "label": [0, 0, 1, 1, 0],
            "class": ["dog", "dog", "cat", "cat", "dog"],
            "aum@1": np.arange(5.0),
        }
    )
    assert len(with_scores(dataset, named, by_row=True)) == 5
    texts = datasets.Dataset.from_dict({"label": named["class"]})
    assert len(with_scores(texts, named, by_row=True)) == 5
    unlabelled = datasets.Dataset.from_dict({"label": [None] * 5})
    for other in (texts, unlabelled):
        with pytest.raises(datadiet.LabelError, match="cannot be compared .*check_labels=False"):
            with_scores(other, whole, by_row=True)
    # Labels under another name are compared too; where there are none nothing says that rows are the same.
    other = dataset.rename_column("label", "fine_label")
    for turned in (other, other.select([4, 3, 2, 1, 0])):
        with pytest.raises(
            datadiet.LabelError, match="data has no labels .*label_column=.*check_labels=False"
        ):
            with_scores(turned, whole, by_row=True)
    assert len(with_scores(other, whole, by_row=True, label_column="fine_label")) == 5
    with pytest.raises(datadiet.LabelError, match="2 of 5 labels"):
        with_scores(other.select([4, 3, 2, 1, 0]), whole, by_row=True, label_column="fine_label")
    with pytest.raises(datadiet.ColumnError, match="no column y"):
        with_scores(other, whole, by_row=True, label_column="y")
    bare = datadiet.ScoreTable.from_columns({"aum@1": np.arange(5.0)})
    with pytest.raises(datadiet.LabelError, match="table has no labels"):
        with_scores(dataset, bare, by_row=True)
    assert len(with_scores(other, bare, by_row=True, check_labels=False)) == 5
    part = datadiet.ScoreTable.from_columns({"id": [0, 1, 2, 3, 5], "aum@1": np.arange(5.0)})
    with pytest.raises(datadiet.IdError, match="not 0, 1, 2"):
        with_scores(dataset, part, by_row=True)


def test_rows_that_do_not_fit(dataset, scores):
    more = datasets.concatenate_datasets([dataset, dataset.select([0])])
    with pytest.raises(datadiet.IdError, match="has guid d more than once, last in row 5"):
        with_scores(more, scores, id_column="guid")
    other = dataset.select([0, 1]).add_column("id", ["x", "a"])
    with pytest.raises(datadiet.IdError, match="1 of 2 rows have no row .*first of them id x"):
        with_scores(other, scores, id_column="id")
    empty = with_scores(
        other, scores, ["el2n@4", "predicted@4", "class"], id_column="id", missing="null"
    )
    assert empty["el2n@4"][:] == [None, 0.5] and empty["predicted@4"][:] == [None, 0]
    assert empty["class"][:] == [None, "cat"]
    with pytest.raises(datadiet.IdError, match="no text of the data is an id of the table: .*…"):
        with_scores(dataset.select([0]), scores, id_column="text", missing="null")
    with pytest.raises(datadiet.ColumnError, match="no column name; it has guid"):
        with_scores(dataset, scores, id_column="name")
    with pytest.raises(datadiet.ColumnError, match="did you mean|el2n@4"):
        with_scores(dataset, scores, ["el2n@5"], id_column="guid")
    once = with_scores(dataset, scores, id_column="guid")
    with pytest.raises(datadiet.ColumnError, match="has a column el2n@4 already"):
        with_scores(once, scores, id_column="guid")
    with pytest.raises(datadiet.ColumnError, match="asked for twice"):
        with_scores(dataset, scores, ["el2n@4", "el2n@end"], id_column="guid")
    with pytest.raises(datadiet.DtypeError, match="one split"):
        with_scores(datasets.DatasetDict(train=dataset), scores, id_column="guid")
    with pytest.raises(ValueError, match='"error" or "null"'):
        with_scores(dataset, scores, id_column="guid", missing="nan")
    lists = datasets.Dataset.from_dict({"guid": [[1], [2]]})
    with pytest.raises(datadiet.DtypeError, match="guid has several values"):
        with_scores(lists, scores, id_column="guid")
    with pytest.raises(datadiet.DtypeError, match="a str is no table of scores"):
        with_scores(dataset, "scores.parquet", id_column="guid")
    holes = datasets.Dataset.from_dict({"guid": ["a", None]})
    with pytest.raises(datadiet.IdError, match="no id in row 1"):
        with_scores(holes, scores, id_column="guid")


def test_corrected_labels(dataset):
    right = relabel(dataset, {"d": "cat", "a": 1}, id_column="guid")
    assert right["corrected_label"][:] == [0, 1, 0, 1, 1]
    assert right["label"][:] == dataset["label"][:]
    assert right.features["corrected_label"] == dataset.features["label"]
    assert relabel(dataset, {0: "cat"}, by_row=True, into="label")["label"][:] == [0, 1, 0, 0, 1]
    assert relabel(dataset, {}, by_row=True)["corrected_label"][:] == dataset["label"][:]
    # As marks.csv of the explorer has them.
    numbered = dataset.add_column("n", [7, 8, 9, 10, 11])
    assert relabel(numbered, {"8": "cat"}, id_column="n")["corrected_label"][1] == 0
    assert relabel(dataset, {"1": "cat"}, by_row=True)["corrected_label"][1] == 0
    for wrong in ("bird", 2, -1, True, None, 0.5):
        with pytest.raises(datadiet.LabelError, match="no class of label: cat, dog"):
            relabel(dataset, {"a": wrong}, id_column="guid")
    texts = datasets.Dataset.from_dict({"y": ["no", "yes"]})
    assert relabel(texts, {1: "no"}, by_row=True, label_column="y")["corrected_label"][:] == [
        "no",
        "no",
    ]
    with pytest.raises(datadiet.LabelError, match="pass labels of that type"):
        relabel(texts, {1: 0}, by_row=True, label_column="y")
    with pytest.raises(datadiet.IdError, match="no row has guid z"):
        relabel(dataset, {"z": 0}, id_column="guid")
    with pytest.raises(datadiet.IdError, match="by_row=True"):
        relabel(dataset, {"a": 0})
    with pytest.raises(datadiet.ColumnError, match="no column y"):
        relabel(dataset, {"a": 0}, id_column="guid", label_column="y")
    with pytest.raises(datadiet.ColumnError, match="another name for into"):
        relabel(dataset, {"a": 0}, id_column="guid", into="text")


@pytest.mark.parametrize("name", ["kept", "kept.parquet"])
def test_to_disk_and_back(dataset, scores, tmp_path, name):
    columns = ["el2n@end", "el2n@4.se", "predicted@4"]
    whole = relabel(
        with_scores(dataset, scores, columns, id_column="guid"), {"d": "cat"}, id_column="guid"
    )
    kept = datadiet.datasets.select(whole, scores.keys([0, 1, 3]), id_column="guid")
    save(kept, tmp_path / name, scores)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    # As its own library reads it.
    if name.endswith(".parquet"):
        back = datasets.Dataset.from_parquet(
            str(tmp_path / name), cache_dir=str(tmp_path / "cache")
        )
        card = pyarrow.parquet.read_schema(tmp_path / name).metadata[b"datadiet"].decode()
    else:
        back = datasets.load_from_disk(str(tmp_path / name))
        card = (tmp_path / name / "datadiet.json").read_text()
    assert back.features == kept.features and back[:] == kept[:]
    assert card == scores.metadata["datadiet"]
    # As we do.
    found = datadiet.datasets.table(tmp_path / name, id_column="guid", label_column="label")
    assert found.columns == ["id", "key", "label", "class", "el2n@4", "el2n@4.se", "predicted@4"]
    assert found.card == scores.card and found.card["source"] == "a test"
    assert found["key"] == ["a", "b", "d"]
    np.testing.assert_array_equal(found["el2n@4"], [0.5, 0.25, 1.0])
    assert found["class"] == ["cat", "cat", "dog"]
    assert ids(tmp_path / name, "guid") == ["a", "b", "d"]
    right = labels(tmp_path / name, "corrected_label", id_column="guid")
    assert right == {"a": "cat", "b": "cat", "d": "cat"}
    assert (
        labels(relabel(dataset, right, id_column="guid"), "corrected_label", id_column="guid")["d"]
        == "cat"
    )
    with pytest.raises(FileExistsError, match="is there already"):
        save(kept, tmp_path / name, scores)


def test_whole_numbers_as_ids_come_back(tmp_path):
    dataset = datasets.Dataset.from_dict(
        {"id": [5, 2], "aum@3": [0.5, None], "aum": [1.0, 2.0], "y": [1, 0]}
    )
    table = datadiet.datasets.table(dataset, id_column="id", label_column="y")
    assert table.columns == ["id", "label", "aum@3"] and table["id"].tolist() == [5, 2]
    assert np.isnan(table["aum@3"][1]) and table.card is None
    # It is a part, of which nothing more is chosen by fractions.
    with pytest.raises(datadiet.TableError, match="not 0, 1, 2"):
        table.select(0.5)
    assert ids(dataset, "id").dtype == np.uint32
    large = datasets.Dataset.from_dict({"id": [2**40, -1]})
    assert ids(large, "id") == [str(2**40), "-1"]
    assert labels(dataset, "y", by_row=True) == {0: 1, 1: 0}


def test_what_does_not_come_back(dataset, tmp_path):
    with pytest.raises(FileNotFoundError):
        datadiet.datasets.table(tmp_path / "none", id_column="guid")
    with pytest.raises(datadiet.TableError, match="name columns among guid, text, label"):
        datadiet.datasets.table(dataset, id_column="guid")
    (tmp_path / "x.parquet").write_bytes(b"nothing")
    with pytest.raises(datadiet.TableError, match="no Parquet file"):
        ids(tmp_path / "x.parquet", "guid")
    with pytest.raises(datadiet.TableError, match="is no data set"):
        ids({"guid": ["a"]}, "guid")
    with pytest.raises(datadiet.TableError, match="one split of train"):
        ids(datasets.DatasetDict(train=dataset), "guid")
    with pytest.raises(datadiet.IdError, match="by_row=True"):
        labels(dataset, "label")
    with pytest.raises(datadiet.LabelError, match="cast the column to a ClassLabel"):
        datadiet.datasets.table(dataset, by_row=True, label_column="text", columns=["label"])
    unlabelled = datasets.Dataset.from_dict({"y": [0, -1]})
    with pytest.raises(datadiet.LabelError, match="row 1 has no y"):
        labels(unlabelled, "y", by_row=True)
    with pytest.raises(datadiet.DtypeError, match="save each"):
        save(datasets.DatasetDict(train=dataset), tmp_path / "all")
    with pytest.raises(datadiet.DtypeError, match="no data set"):
        save([1], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_pictures_are_inside(tmp_path):
    image = imported("PIL.Image")
    image.new("RGB", (2, 2), (255, 0, 0)).save(tmp_path / "a.png")
    features = datasets.Features({"image": datasets.Image(), "el2n@1": datasets.Value("float32")})
    rows = {"image": [str(tmp_path / "a.png")], "el2n@1": [0.5]}
    save(datasets.Dataset.from_dict(rows, features=features), tmp_path / "all.parquet")
    (tmp_path / "a.png").unlink()
    back = datasets.Dataset.from_parquet(
        str(tmp_path / "all.parquet"), cache_dir=str(tmp_path / "cache")
    )
    assert back[0]["image"].getpixel((0, 0)) == (255, 0, 0)


def test_push_to_hub(hub, run):  # noqa: F811
    """By the library's own push, against a server on loopback, and loaded from it."""
    run(
        """
import datasets
dataset = datasets.Dataset.from_dict({"guid": [str(one) for one in range(50)]})
dataset = datadiet.datasets.with_scores(dataset, table, ["el2n@end"], by_row=True, check_labels=False)
commit = datadiet.datasets.push_to_hub(dataset, "hf://ann/kept", table, private=True)
assert len(commit) == 40
back = datasets.load_dataset("ann/kept", split="train")
assert back[:] == dataset[:]
"""
    )
    files = hub.files("ann/kept")
    assert set(files) == {"README.md", "data/train-00000-of-00001.parquet", "datadiet.json"}
    assert b'"made_by"' in files["datadiet.json"]
    assert hub.private == {"ann/kept"} and hub_server.TOKEN not in str(files)


def test_the_card_goes_where_the_data_set_goes(dataset, scores, monkeypatch):
    pushed, answer = [], SimpleNamespace(oid="a" * 40, pr_revision=None)

    def push(_, repository, **options):
        pushed.append((repository, options))
        return answer

    def push_card(table, repository, *, revision, token):
        pushed.append((repository, {"revision": revision, "token": token}))
        return "b" * 40

    monkeypatch.setattr(datasets.Dataset, "push_to_hub", push)
    monkeypatch.setattr(datadiet.hub, "push_card", push_card)
    to_hub = datadiet.datasets.push_to_hub
    for to, options, pr, of_data, of_card in [
        ("hf://ann/x", {}, None, {}, None),
        ("hf://ann/x@dev", {}, None, {"revision": "dev"}, "dev"),
        ("ann/x", {"revision": "dev"}, None, {"revision": "dev"}, "dev"),
        ("ann/x@dev", {"revision": "dev"}, None, {"revision": "dev"}, "dev"),
        ("ann/x", {"create_pr": True}, "refs/pr/7", {"create_pr": True}, "refs/pr/7"),
    ]:
        pushed.clear()
        answer.pr_revision = pr
        assert to_hub(dataset, to, scores, token="t", **options) == "b" * 40
        assert pushed == [
            ("ann/x", {"token": "t", **of_data}),
            ("ann/x", {"revision": of_card, "token": "t"}),
        ]
    pushed.clear()
    with pytest.raises(datadiet.TableError, match="says dev, and revision says main"):
        to_hub(dataset, "ann/x@dev", revision="main")
    with pytest.raises(datadiet.TableError, match="names a file"):
        to_hub(dataset, "hf://ann/x/data.parquet")
    assert not pushed
    answer.pr_revision = None
    with pytest.raises(datadiet.TableError, match="to which pull request"):
        to_hub(dataset, "ann/x", scores, create_pr=True)
