"""The accessor of pandas."""

import numpy as np
import pandas
import pytest

import datadiet
import datadiet.pandas  # noqa: F401


@pytest.fixture
def table():
    return datadiet.ScoreTable.from_columns(
        {
            "id": range(5),
            "key": list("abcde"),
            "label": [0, 0, 1, 1, 1],
            "class": ["cat", "cat", "dog", "dog", "dog"],
            "aum@4": [0.5, -2.0, np.nan, 1.0, -0.5],
            "el2n@4": [0.5, 0.25, np.nan, 1.0, 0.75],
            "predicted@4": [0, 1, 1, 1, 0],
        }
    )


@pytest.fixture
def frame():
    return pandas.DataFrame({"guid": list("dcbae"), "text": range(5)}, index=[9, 8, 7, 6, 5])


def test_scores(frame, table):
    scored = frame.datadiet.scores(table, id="guid")
    assert list(scored.columns) == ["guid", "text", "aum@4", "el2n@4"]
    assert scored.index.tolist() == [9, 8, 7, 6, 5]
    np.testing.assert_array_equal(scored["el2n@4"], np.float32([1.0, np.nan, 0.25, 0.5, 0.75]))
    assert "aum@4" not in frame
    named = frame.set_index("guid").datadiet.scores(table, ["el2n@end", "class"], id="guid")
    assert named.loc["a"].tolist() == [3, 0.5, "cat"]


def test_ids_are_those_that_the_command_takes(frame, tmp_path):
    """The index that pandas writes beside a table that was shuffled, a guid: not the numbers of the rows."""
    import pyarrow.parquet

    shuffled = pandas.DataFrame({"el2n@1": [0.0, 1.0, 2.0]}).iloc[[2, 0, 1]]
    shuffled.to_parquet(tmp_path / "shuffled.parquet")
    names = pyarrow.parquet.read_schema(tmp_path / "shuffled.parquet").names
    assert names == ["el2n@1", "__index_level_0__"]
    table = datadiet.ScoreTable.read(tmp_path / "shuffled.parquet")
    scored = pandas.DataFrame({"n": [0, 1, 2]}).datadiet.scores(table, id="n")
    assert scored["el2n@1"].tolist() == [0, 1, 2]
    table = datadiet.ScoreTable.from_columns({"guid": list("cab"), "el2n@1": [2.0, 0.0, 1.0]})
    scored = frame[1:4].datadiet.scores(table, id="guid")
    assert scored["guid"].tolist() == ["c", "b", "a"] and scored["el2n@1"].tolist() == [2, 1, 0]
    table = datadiet.ScoreTable.from_columns({"id": [0.5, 1.0, 2.0], "el2n@1": [0.0, 1.0, 2.0]})
    with pytest.raises(datadiet.IdError, match="the column id holds numbers with fractions"):
        pandas.DataFrame({"n": [0, 1, 2]}).datadiet.scores(table, id="n")


def test_select(frame, table):
    with pytest.raises(datadiet.SelectionError):
        frame.datadiet.select(table, 0.5, id="guid", by="el2n@end")
    either = {"drop_unscored": True, "allow_empty_class": True}
    kept = frame.datadiet.select(table, 0.4, id="guid", by="el2n@end", **either)
    # In the order of the frame.
    assert kept["guid"].tolist() == ["d", "e"]
    assert table.keys(table.select(0.4, by="el2n@end", **either)) == ["d", "e"]
    one = frame.datadiet.select(table, count=1, rule="easiest", id="guid", by="aum@4", **either)
    assert one["guid"].tolist() == ["d"]
    with pytest.raises(datadiet.SelectionError, match="5 examples and the frame 4 of them"):
        frame[:4].datadiet.select(table, 0.5, id="guid")


def test_suspects(frame, table):
    found = frame.datadiet.suspects(table, 3, id="guid")
    assert found["guid"].tolist() == ["b", "e", "a"] and found.index.tolist() == [7, 5, 6]
    assert found["labelled"].tolist() == ["cat", "dog", "cat"]
    assert found["predicted"].tolist() == ["dog", "cat", "cat"]
    assert list(found.columns) == ["guid", "text", "labelled", "predicted", "aum@4"]
    part = frame[frame["guid"] != "b"].datadiet.suspects(table, id="guid", by="el2n@end")
    assert part["guid"].tolist() == ["d", "e", "a"]
    with pytest.raises(datadiet.ColumnError, match="a column labelled already"):
        frame.assign(labelled=0).datadiet.suspects(table, id="guid")


def test_rows_that_cannot_be_told(frame, table):
    with pytest.raises(TypeError, match="id"):
        frame.datadiet.scores(table)
    with pytest.raises(datadiet.ColumnError, match="no column name, and its index"):
        frame.datadiet.scores(table, id="name")
    with pytest.raises(datadiet.IdError, match="no text of the data is an id of the table"):
        frame.datadiet.scores(table, id="text")
    with pytest.raises(datadiet.IdError, match="guid d more than once"):
        pandas.concat([frame, frame]).datadiet.scores(table, id="guid")
    more = pandas.DataFrame({"guid": ["a", "z"]})
    with pytest.raises(datadiet.IdError, match="first of them guid z"):
        more.datadiet.scores(table, id="guid")
    scored = more.datadiet.scores(
        table, ["el2n@4", "predicted@4", "class"], id="guid", missing="null"
    )
    assert scored.isna().values.tolist() == [[False] * 4, [False, True, True, True]]
    with pytest.raises(datadiet.ColumnError, match="aum@4 already"):
        frame.datadiet.scores(table, id="guid").datadiet.scores(table, id="guid")
    with pytest.raises(datadiet.IdError, match="missing"):
        pandas.DataFrame({"guid": ["a", None]}).datadiet.scores(table, id="guid")


def test_an_empty_frame(frame, table):
    assert len(frame[:0].datadiet.scores(table, id="guid")) == 0
    assert len(frame[:0].datadiet.suspects(table, id="guid")) == 0


def test_ids_that_are_numbers(table):
    numbered = datadiet.ScoreTable.from_columns({"id": [3, 1], "el2n@1": [0.5, 0.25]})
    frame = pandas.DataFrame({"n": ["1", "3"]})
    assert frame.datadiet.scores(numbered, id="n")["el2n@1"].tolist() == [0.25, 0.5]
