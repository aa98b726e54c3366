"""Tables: through pandas, polars, pyarrow and Parquet, the hard end, subsets, the report."""

import json

import numpy as np
import pandas
import polars
import pyarrow
import pyarrow.parquet
import pytest

import datadiet
from datadiet import _datadiet


@pytest.fixture
def table(chance):
    label = np.arange(60) % 3
    return datadiet.ScoreTable.from_columns(
        {
            "id": np.arange(60),
            "label": label,
            "class": [["cat", "dog", "été"][c] for c in label],
            "el2n@1": chance.random(60),
            "el2n@4": np.where(np.arange(60) == 7, np.nan, chance.random(60)),
            "el2n@4.se": chance.random(60) / 10,
            "aum@4": chance.normal(size=60),
            "predicted@4": (label + 1) % 3,
        },
        {"about": "a test"},
    )


def same(first, second):
    assert first.columns == second.columns
    for name in first.columns:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def through_pyarrow(table):
    return table.to_arrow()


def through_polars(table):
    return table.to_polars()


def through_pandas(table):
    # An id without a name must not come along as a column.
    return table.to_pandas()


@pytest.mark.parametrize("way", [through_pyarrow, through_polars, through_pandas])
def test_round_trips(table, way):
    same(datadiet.ScoreTable.from_arrow(way(table)), table)


def test_what_other_libraries_see(table):
    arrow, frame, pandas_frame = table.to_arrow(), table.to_polars(), table.to_pandas()
    assert isinstance(arrow, pyarrow.Table)
    assert isinstance(frame, polars.DataFrame)
    assert isinstance(pandas_frame, pandas.DataFrame)
    assert arrow.schema.field("el2n@4").type == pyarrow.float32()
    assert arrow.schema.field("label").type == pyarrow.uint32()
    assert arrow.schema.metadata[b"about"] == b"a test"
    assert arrow["el2n@4"].null_count == 1
    assert frame["el2n@4"].null_count() == 1
    assert frame["class"].to_list() == table["class"] == pandas_frame["class"].tolist()
    np.testing.assert_array_equal(pandas_frame["el2n@4"], table["el2n@4"])
    assert list(pandas_frame.columns) == frame.columns == arrow.column_names == table.columns


def test_a_stream_is_read_in_several_batches(table):
    batches = table.to_arrow().to_batches(max_chunksize=7)
    same(datadiet.ScoreTable.from_arrow(pyarrow.Table.from_batches(batches)), table)


def test_wider_types_are_taken():
    arrow = pyarrow.table(
        {
            "id": pyarrow.array([2, 1], pyarrow.int64()),
            "el2n@1": pyarrow.array([0.5, None], pyarrow.float64()),
            "name": pyarrow.array(["a", None], pyarrow.large_string()),
            "flag": pyarrow.array([True, False]),
            "day": pyarrow.array([1, 2], pyarrow.date32()),
        }
    )
    table = datadiet.ScoreTable.from_arrow(arrow)
    assert table.columns == ["id", "el2n@1", "name", "flag"]
    assert table["flag"].tolist() == [1, 0]
    assert table["id"].tolist() == [2, 1]
    assert table["name"] == ["a", ""]
    assert np.isnan(table["el2n@1"][1])


def test_the_stream_outlives_the_table(table):
    expected = table["el2n@1"]
    arrow = table.to_arrow()
    del table
    np.testing.assert_array_equal(arrow["el2n@1"].to_numpy(), expected)


def test_parquet(table, tmp_path):
    path = tmp_path / "new" / "scores.parquet"
    table.write(path)
    back = datadiet.ScoreTable.read(path)
    same(back, table)
    assert back.metadata == table.metadata == {"about": "a test"}
    same(datadiet.ScoreTable.read(path.parent), table)
    assert pyarrow.parquet.read_table(path).equals(table.to_arrow())
    assert polars.read_parquet(path).equals(table.to_polars())


def test_files_of_others(table, tmp_path):
    table.to_polars().write_parquet(tmp_path / "polars.parquet")
    same(datadiet.ScoreTable.read(tmp_path / "polars.parquet"), table)
    table.to_pandas().to_parquet(tmp_path / "pandas.parquet")
    same(datadiet.ScoreTable.read(tmp_path / "pandas.parquet"), table)


def test_columns_and_scores(table):
    assert len(table) == 60
    assert table.scores == ["el2n@1", "el2n@4", "aum@4"]
    assert "aum@4" in table
    assert "aum@5" not in table
    assert table.describe() == []
    assert repr(table).startswith("ScoreTable(60 rows: id, label, class,")


def test_the_latest_time_is_a_name_of_a_column(table):
    np.testing.assert_array_equal(table["el2n@end"], table["el2n@4"])
    np.testing.assert_array_equal(table["aum@end"], table["aum@4"])
    assert "el2n@end" not in table
    with pytest.raises(datadiet.ColumnError, match="no column of grand"):
        table["grand@end"]
    literal = datadiet.ScoreTable.from_columns({"el2n@1": [0.5], "el2n@end": [0.7]})
    assert literal["el2n@end"][0] == np.float32(0.7)


def test_a_table_iterates_over_its_columns(table):
    assert list(table) == table.columns
    assert all(name in table for name in table)


def test_the_top_follows_the_direction(table):
    el2n, aum = table["el2n@4"], table["aum@4"]
    hardest = table.top(5)
    np.testing.assert_array_equal(
        hardest["id"], np.argsort(np.where(np.isnan(el2n), -1, -el2n * -1))[::-1][:5]
    )
    assert hardest["class"] == [table["class"][i] for i in hardest["id"]]
    np.testing.assert_array_equal(table.top(5, by="aum@end")["id"], np.argsort(aum)[:5])
    np.testing.assert_array_equal(
        table.top(5, by="aum@4", easiest=True)["id"], np.argsort(-aum)[:5]
    )
    # The example without a score is at neither end.
    assert len(table.top(1000)) == 59
    assert len(table.top(0)) == 0
    assert 7 not in table.top(1000)["id"]


def test_the_top_of_the_top_keeps_ids(table):
    top = table.top(20, by="el2n@1")
    np.testing.assert_array_equal(top.top(3, by="el2n@1")["id"], top["id"][:3])
    with pytest.raises(datadiet.TableError, match="not the table of a whole training set"):
        top.select(0.5)


def test_select(table):
    expected = datadiet.select(table["aum@4"], 0.5, higher_is_harder=False)
    np.testing.assert_array_equal(table.select(0.5, by="aum@4"), expected)
    with pytest.raises(datadiet.SelectionError, match="first ids 7"):
        table.select(0.5)
    balanced = table.select(count=9, quota="balanced", drop_unscored=True)
    assert np.bincount(table["label"][balanced]).tolist() == [3, 3, 3]


def test_rows_that_are_taken_keep_their_pictures(chance):
    images = chance.integers(0, 256, (4, 8, 8), dtype=np.uint8)
    table = datadiet.ScoreTable.from_columns({"el2n@1": [0.1, 0.9, 0.3, 0.5]}).with_images(images)
    top = table.top(2)
    assert top["id"].tolist() == [1, 3] and top.top(1, easiest=True)["id"].tolist() == [3]

    def pictures(of, rows):
        return _datadiet.pictures(of._table, np.array(rows, np.uint32), of._images)

    assert pictures(top, [0, 1]) == pictures(table, [1, 3]) != pictures(table, [0, 1])


def test_keys_are_the_ids_of_the_owner():
    columns = {"id": range(4), "el2n@1": [0.5, 0.9, 0.1, 0.7]}
    texts = datadiet.ScoreTable.from_columns({**columns, "key": ["a", "b", "c", "d"]})
    assert texts.keys(texts.select(count=2)) == ["b", "d"]
    assert texts.keys(texts.top(3)["id"]) == texts.top(3)["key"] == ["b", "d", "a"]
    # Of a part of the table an id is no number of a row.
    assert texts.top(2).keys([3]) == ["d"]
    numbers = datadiet.ScoreTable.from_columns({**columns, "key": [7, 30, 31, 900]})
    keys = numbers.keys(numbers.select(count=2))
    assert (keys.tolist(), keys.dtype) == ([30, 900], np.uint32)
    for table in (
        datadiet.ScoreTable.from_columns(columns),
        datadiet.ScoreTable.from_columns({"el2n@1": columns["el2n@1"]}),
    ):
        ids = table.keys([3, 0])
        assert (ids.tolist(), ids.dtype) == ([3, 0], np.uint32)
        with pytest.raises(datadiet.IdError, match="4"):
            table.keys([4])
        with pytest.raises(datadiet.DtypeError):
            table.keys(["a"])


def test_a_huge_label_is_an_error_and_takes_no_memory(tmp_path):
    table = datadiet.ScoreTable.from_columns(
        {"label": [0, 2**32 - 2], "class": ["a", "b"], "el2n@1": [0.5, 0.7]}
    )
    with pytest.raises(datadiet.LabelError, match="row 1 has label 4294967294"):
        table.report(tmp_path / "report.html")
    with pytest.raises(datadiet.LabelError, match="below 1048576"):
        table.select(count=1)


def test_the_report_is_one_file_with_figures_beside(table, tmp_path):
    path = table.report(tmp_path / "out.html", by="el2n@1", title="Mine & yours", suspects=3)
    html = path.read_text(encoding="utf-8")
    assert "Mine &amp; yours" in html or "Mine &#38; yours" in html
    assert "été" in html
    assert "arXiv:2107.07075" in html
    figures = sorted(file.name for file in (tmp_path / "out-figures").iterdir())
    assert figures == ["distribution.png", "distribution.svg"]
    table.report(tmp_path / "bare.html", by="el2n@1", figures=False)
    assert not (tmp_path / "bare-figures").exists()


def test_the_report_of_a_recorder_tells_the_reliability(tmp_path, chance):
    replicas = [datadiet.Recorder(50, 3) for _ in range(2)]
    labels = np.arange(50) % 3
    for replica in replicas:
        replica.update(np.arange(50), chance.normal(size=(50, 3)), labels)
        replica.end_epoch()
    table = replicas[0].merge(replicas[1])
    assert table.card["replicas"] == json.loads(table.metadata["datadiet"])["replicas"] == 2
    html = table.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Spearman–Brown" in html
    assert "have no reliability" not in html
    assert (tmp_path / "figures" / "distribution.svg").exists()


def test_names_of_other_tools_have_their_direction():
    columns = {"label_quality": [0.9, 0.1, 0.5], "uniqueness": [0.9, 0.1, 0.5]}
    table = datadiet.ScoreTable.from_columns(columns)
    assert table.top(1, by="label_quality")["label_quality"] == np.float32(0.1)
    with pytest.warns(UserWarning, match='hard_is="low"'):
        assert table.top(1, by="uniqueness")["uniqueness"] == np.float32(0.9)
    assert table.top(1, by="uniqueness", hard_is="low")["uniqueness"] == np.float32(0.1)
    assert table.select(count=1, by="uniqueness", hard_is="low").tolist() == [1]
    with pytest.raises(ValueError, match="hard_is"):
        table.top(1, by="uniqueness", hard_is="up")


@pytest.mark.parametrize("name", ["s.parquet", "s.json", "s.txt", "s.npy"])
def test_subsets_are_written_and_read_back(table, tmp_path, name):
    ids = table.select(count=9, by="el2n@1")
    table.write_subset(tmp_path / name, ids, by="el2n@1")
    np.testing.assert_array_equal(datadiet.read_subset(tmp_path / name), ids)


def test_subsets_have_the_ids_of_their_owner(tmp_path):
    keys = [f"image-{i}" for i in range(4)]
    columns = {"id": range(4), "key": keys, "el2n@1": [0.5, 0.9, 0.1, 0.7]}
    table = datadiet.ScoreTable.from_columns(columns)
    for name in ("s.parquet", "s.json", "s.txt"):
        table.write_subset(tmp_path / name, table.select(count=2))
        assert datadiet.read_subset(tmp_path / name) == ["image-1", "image-3"]
    with pytest.raises(datadiet.IdError, match="texts for ids"):
        table.write_subset(tmp_path / "s.npy", [1])
    with pytest.raises(datadiet.IdError, match="must end in"):
        table.write_subset(tmp_path / "s.xlsx", [1])


def test_the_report_shows_images_by_the_ids_of_the_rows(table, tmp_path, chance):
    images = chance.integers(0, 256, size=(60, 8, 8, 3), dtype=np.uint8)
    html = table.report(tmp_path / "report.html", images=images, gallery=2).read_text("utf-8")
    assert "The easiest and hardest of each class by el2n@4" in html
    table.report(tmp_path / "grey.html", images=images[..., 0])
    # Too few images are of another data set.
    with pytest.raises(datadiet.IdError, match="different data sets"):
        table.report(tmp_path / "few.html", images=images[:50])
    with pytest.raises(datadiet.DtypeError, match="uint8"):
        table.report(tmp_path / "float.html", images=images / 255)
    with pytest.raises(datadiet.ShapeError):
        table.report(tmp_path / "flat.html", images=images.reshape(60, -1))


def test_a_table_without_a_card_says_so(table):
    assert table.card is None
    with pytest.raises(datadiet.TableError, match="card"):
        datadiet.ScoreTable.from_columns({"el2n@1": [0.5]}, {"datadiet": "junk"})


def test_errors(table, tmp_path):
    with pytest.raises(datadiet.ColumnError, match=r"did you mean el2n@4\?"):
        table["el2n@44"]
    with pytest.raises(KeyError):
        table["nothing"]
    with pytest.raises(datadiet.ColumnError):
        table.top(by="grand@end")
    with pytest.raises(FileNotFoundError):
        datadiet.ScoreTable.read(tmp_path / "none.parquet")
    with pytest.raises(ValueError, match="must end in .html"):
        table.report(tmp_path / "report.pdf")
    with pytest.raises(datadiet.DtypeError, match="__arrow_c_stream__"):
        datadiet.ScoreTable.from_arrow([1, 2])
    with pytest.raises(datadiet.ColumnError, match="has 1 rows"):
        datadiet.ScoreTable.from_columns({"a": [1.0, 2.0], "b": [1.0]})
    with pytest.raises(datadiet.ColumnError, match="has -1 in row 0"):
        datadiet.ScoreTable.from_arrow(pyarrow.table({"id": [-1]}))
    with pytest.raises(datadiet.IdError):
        datadiet.ScoreTable.from_columns({"id": [-1]})
    with pytest.raises(TypeError):
        datadiet.ScoreTable({"id": [1]})
    (tmp_path / "text.parquet").write_text("no Parquet")
    with pytest.raises(datadiet.TableError, match="is not a table of scores"):
        datadiet.ScoreTable.read(tmp_path / "text.parquet")


def test_truncated_files(table, tmp_path):
    table.write(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / "cut.parquet").write_bytes(whole[:length])
        with pytest.raises(datadiet.TableError):
            datadiet.ScoreTable.read(tmp_path / "cut.parquet")


@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.4])
def test_a_known_fraction_of_wrong_labels_lies_in_its_interval(chance, fraction):
    n = 5000
    wrong = chance.random(n) < fraction
    easy = chance.random(n) < 0.6
    right = np.where(easy, chance.normal(5, 1, n), chance.normal(2, 1.5, n))
    aum = np.where(wrong, chance.normal(-4, 1, n), right).astype(np.float32)
    table = datadiet.ScoreTable.from_columns({"aum@3": aum, "el2n@3": -aum})
    found = table.wrong_labels()
    assert found.column == found.by == "aum@3"
    low, high = found.interval
    assert low < wrong.mean() < high
    assert found.count == round(found.fraction * n)
    listed = aum <= found.down_to
    assert listed.sum() == found.suspects
    assert wrong[listed].mean() > 0.9 and wrong[listed].sum() > 0.9 * wrong.sum()
    assert str(found).startswith("about ") and "aum@3 ≤" in str(found)
    turned = table.wrong_labels(by="aum@3", hard_is="high")
    assert turned.fraction is None and "begins with the easiest" in str(turned)
    by_el2n = table.wrong_labels(by="el2n@3")
    assert (by_el2n.column, by_el2n.fraction) == ("aum@3", found.fraction)
    assert by_el2n.down_to == pytest.approx(-found.down_to)


@pytest.mark.parametrize("shape", ["normal", "skewed", "heavy"])
def test_one_group_of_examples_has_no_number_of_wrong_labels(chance, shape):
    n = 5000
    aum = {
        "normal": chance.normal(1, 1, n),
        "skewed": 4 - chance.gamma(2, 1.2, n),
        "heavy": 2 + chance.standard_t(3, n),
    }[shape]
    assert (aum < 0).mean() > 0.05
    found = datadiet.ScoreTable.from_columns({"aum@3": aum}).wrong_labels()
    assert found.fraction is None and found.interval is None and found.cannot_tell is not None
    assert str(found).startswith("how many labels are wrong cannot be told from aum@3: ")


def test_a_log_is_no_table(tmp_path):
    log = pandas.DataFrame(
        {"id": [0, 1, 2] * 2, "epoch": [1] * 3 + [2] * 3, "loss": np.arange(6.0)}
    )
    log.to_parquet(tmp_path / "log.parquet")
    with pytest.raises(datadiet.DatadietError, match="6 rows have 3 ids.*datadiet ingest"):
        datadiet.ScoreTable.read(tmp_path / "log.parquet")
