"""Suspects in cleanlab's Datalab, and its label issues as a table."""

import contextlib
import io

import datasets
import numpy as np
import pytest
from cleanlab import Datalab

import datadiet
from datadiet.datalab import from_datalab, to_datalab

NAMES = ["c2", "c10", "c1"]
"""Datalab numbers them in the order of the texts: c1, c10, c2."""


@pytest.fixture
def scored(chance):
    """300 examples of 3 classes, 30 labels of which are wrong: the table in the order of its ids, the data shuffled."""
    true = chance.integers(0, 3, 300)
    label = true.copy()
    label[:30] = (true[:30] + 1) % 3
    recorder = datadiet.Recorder(300, n_classes=3)
    for _ in range(8):
        logits = chance.normal(size=(300, 3)) + 6 * np.eye(3)[true]
        recorder.update(np.arange(300), logits, label)
        recorder.end_epoch()
    table = recorder.table()
    columns = {name: table[name] for name in table.columns}
    columns |= {"label": label, "class": [NAMES[one] for one in label], "predicted@8": true}
    order = chance.permutation(300)
    data = {"id": order, "label": [NAMES[label[one]] for one in order]}
    return datadiet.ScoreTable.from_columns(columns, table.metadata), data, true


def lab_of(data):
    return Datalab(datasets.Dataset.from_dict(data), label_name="label", verbosity=0)


def test_label_issues(scored, tmp_path):
    table, data, true = scored
    lab = lab_of(data)
    count = to_datalab(table, lab, id_column="id")
    assert count == table.wrong_labels().suspects and 25 <= count <= 35
    issues = lab.get_issues("label")
    assert list(issues.columns) == [
        "is_label_issue",
        "label_score",
        "given_label",
        "predicted_label",
    ]
    assert issues["is_label_issue"].sum() == count
    wrong = np.array([one < 30 for one in data["id"]])
    assert issues["is_label_issue"][wrong].mean() > 0.9
    assert issues["given_label"].tolist() == data["label"]
    assert issues["predicted_label"].tolist() == [NAMES[true[one]] for one in data["id"]]
    assert issues["label_score"].between(0, 1).all()
    worst = issues["label_score"].idxmin()
    assert data["id"][worst] == table.top(1, by="aum@end")["id"][0]
    # Its own report and its own files.
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        lab.report()
        lab.save(str(tmp_path / "lab"))
    assert f"Number of examples with this issue: {count}" in told.getvalue()
    assert Datalab.load(str(tmp_path / "lab")).get_issue_summary("label")[
        "num_issues"
    ].tolist() == [count]


def test_there_and_back(scored):
    table, data, _ = scored
    lab = lab_of(data)
    count = to_datalab(table, lab, id_column="id")
    back = from_datalab(lab, id_column="id")
    assert back["id"].tolist() == list(data["id"])
    assert back["class"] == data["label"]
    assert back["is_label_issue"].sum() == count
    found = back.top(count)
    assert found["is_label_issue"].all()
    assert set(found["id"].tolist()) == set(table.top(count, by="aum@end")["id"].tolist())
    again = lab_of(data)
    assert to_datalab(back, again, id_column="id", count=count) == count
    for name in ("is_label_issue", "given_label", "predicted_label"):
        assert again.get_issues("label")[name].tolist() == lab.get_issues("label")[name].tolist()


def test_issues_of_cleanlab(scored, chance):
    """Those that cleanlab finds itself, as a table: its suspects are cleanlab's."""
    _, data, true = scored
    lab = lab_of(data)
    order = np.array(data["id"])
    columns = [NAMES.index(name) for name in sorted(NAMES)]
    probs = (0.9 * np.eye(3) + 0.1 / 3)[true[order]][:, columns]
    probs = (probs + 0.01 * chance.random(probs.shape)) / 1.03
    with contextlib.redirect_stdout(io.StringIO()):
        lab.find_issues(pred_probs=probs / probs.sum(1, keepdims=True), issue_types={"label": {}})
    table = from_datalab(lab, id_column="id")
    assert table.top(1)["label_quality"][0] == np.float32(
        lab.get_issues("label")["label_score"].min()
    )
    assert (table.top(30)["id"] < 30).mean() > 0.9
    predicted = [sorted(NAMES)[one] for one in table["predicted@0"]]
    assert predicted == lab.get_issues("label")["predicted_label"].tolist()
    # What cleanlab found is not replaced; beside it ours has another name.
    ours, _, _ = scored
    with pytest.raises(datadiet.TableError, match="label issues already"):
        to_datalab(ours, lab, id_column="id")
    to_datalab(ours, lab, id_column="id", issue="training_dynamics", count=10)
    assert lab.get_issues("training_dynamics")["is_training_dynamics_issue"].sum() == 10
    assert list(lab.get_issues("label").columns)[:2] == ["is_label_issue", "label_score"]
    assert set(lab.get_issue_summary()["issue_type"]) == {"label", "training_dynamics"}


def test_by_row(scored):
    table, data, _ = scored
    order = np.argsort(data["id"])
    straight = {name: [values[one] for one in order] for name, values in data.items()}
    assert to_datalab(table, lab_of(straight), by_row=True, count=7) == 7
    with pytest.raises(
        datadiet.LabelError, match="labels of the Datalab are not those of the table"
    ):
        to_datalab(table, lab_of(data), by_row=True, count=7)
    # Nothing to compare, so that nothing says that rows are the same.
    without = datadiet.ScoreTable.from_columns({"aum@1": np.arange(300.0)})
    options = {"by_row": True, "count": 3, "issue": "dynamics"}
    with pytest.raises(datadiet.LabelError, match="table has no labels .*check_labels=False"):
        to_datalab(without, lab_of(data), **options)
    assert to_datalab(without, lab_of(data), **options, check_labels=False) == 3


def test_what_does_not_fit(scored):
    table, data, _ = scored
    with pytest.raises(datadiet.IdError, match="by_row=True"):
        to_datalab(table, lab_of(data))
    with pytest.raises(datadiet.ColumnError, match="no column guid"):
        to_datalab(table, lab_of(data), id_column="guid")
    with pytest.raises(datadiet.LabelError, match="which is no label of the Datalab"):
        to_datalab(table, lab_of({**data, "label": ["x", "y", "z"] * 100}), id_column="id")
    without = datadiet.ScoreTable.from_columns({"id": range(300), "aum@1": np.arange(300.0)})
    with pytest.raises(datadiet.TableError, match="pass count"):
        to_datalab(without, lab_of(data), id_column="id")
    with pytest.raises(datadiet.ColumnError, match="does not say which class is predicted"):
        to_datalab(without, lab_of(data), id_column="id", count=3)
    assert to_datalab(without, lab_of(data), id_column="id", count=3, issue="dynamics") == 3
    with pytest.raises(datadiet.TableError, match="has no label issues"):
        from_datalab(lab_of(data), id_column="id")
    with pytest.raises(datadiet.TableError, match="that has labels"):
        to_datalab(table, Datalab(datasets.Dataset.from_dict(data), verbosity=0), id_column="id")
    regression = Datalab({"y": [0.5, 1.5]}, label_name="y", task="regression", verbosity=0)
    with pytest.raises(datadiet.TableError, match="a Datalab of a regression"):
        from_datalab(regression, by_row=True)
