"""What people hand over: masks, missing values, columns of pandas, polars and pyarrow, layouts."""

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import datadiet
from datadiet._arrays import floats, marks, plain, scores_of, texts_or_wholes, wholes

LOGITS = np.array([[0.0, 1.0, 0.5], [3.0, -1.0, 0.25], [0.5, 0.0, 2.0]])
LABELS = [1, 0, 2]
EXPECTED = datadiet.el2n(LOGITS, LABELS)

FRAMES = {
    "pandas": pd.DataFrame(LOGITS),
    "pandas, nullable": pd.DataFrame(LOGITS).astype("Float64"),
    "pandas, Arrow": pd.DataFrame(LOGITS).astype("double[pyarrow]"),
    "pandas, mixed": pd.DataFrame(LOGITS).astype({0: "Float64"}),
    "pandas, decimals": pd.DataFrame([[Decimal(str(v)) for v in row] for row in LOGITS]),
    "pandas, a column of lists": pd.Series(LOGITS.tolist()),
    "column-major": pd.DataFrame(LOGITS).to_numpy(),
    "polars": pl.DataFrame(LOGITS),
    "polars, a column of lists": pl.Series(LOGITS.tolist()),
    "polars, a column of arrays": pl.Series(LOGITS.tolist(), dtype=pl.Array(pl.Float64, 3)),
    "pyarrow": pa.table({f"logit_{j}": LOGITS[:, j] for j in range(3)}),
    "pyarrow, lists": pa.array(LOGITS.tolist()),
    "pyarrow, lists in pieces": pa.chunked_array([LOGITS[:1].tolist(), LOGITS[1:].tolist()]),
    "pyarrow, lists of one length": pa.array(LOGITS.tolist(), pa.list_(pa.float64(), 3)),
    "masked, without a mask": np.ma.MaskedArray(LOGITS),
    "objects": LOGITS.astype(object),
    "rows of tensors": [torch.tensor(row, requires_grad=True) for row in LOGITS],
}

WHOLES = {
    "Int64": pd.Series(LABELS, dtype="Int64"),
    "Int8": pd.Series(LABELS, dtype="Int8"),
    "Arrow in pandas": pd.Series(LABELS, dtype="int64[pyarrow]"),
    "categories": pd.Series(LABELS, dtype="category"),
    "categories of texts": pd.Series(map(str, LABELS), dtype="category"),
    "floats": np.array(LABELS, dtype=np.float16),
    "floats in pandas": pd.Series(LABELS, dtype="float64"),
    "texts": [str(label) for label in LABELS],
    "texts of floats": [f"{label}.0" for label in LABELS],
    "decimals": [Decimal(label) for label in LABELS],
    "objects": np.array(LABELS, dtype=object),
    "polars": pl.Series(LABELS, dtype=pl.UInt8),
    "polars, categories": pl.Series(map(str, LABELS), dtype=pl.Categorical),
    "polars, decimals": pl.Series(LABELS).cast(pl.Decimal(10, 0)),
    "pyarrow": pa.array(LABELS),
    "pyarrow, in pieces": pa.chunked_array([LABELS[:1], LABELS[1:]]),
    "pyarrow, dictionary": pa.array(LABELS).dictionary_encode(),
    "pyarrow, decimals": pa.array(LABELS).cast(pa.decimal128(20, 0)),
    "masked, without a mask": np.ma.MaskedArray(LABELS),
    "a tensor of floats": torch.tensor(LABELS, dtype=torch.float64),
}

MISSING = {
    "masked": np.ma.MaskedArray([1, 9, 2], [0, 1, 0]),
    "masked floats": np.ma.MaskedArray([1.0, 9.0, 2.0], [0, 1, 0]),
    "a list of masked": [np.ma.MaskedArray(v, v == 9) for v in (1, 9, 2)],
    "None": [1, None, 2],
    "NaN": [1, float("nan"), 2],
    "Int64": pd.Series([1, None, 2], dtype="Int64"),
    "Arrow in pandas": pd.Series([1, None, 2], dtype="int64[pyarrow]"),
    "categories": pd.Series([1, None, 2], dtype="category"),
    "texts": ["1", None, "2"],
    "objects": np.array([1, pd.NA, 2], dtype=object),
    "polars": pl.Series([1, None, 2]),
    "pyarrow": pa.array([1, None, 2]),
    "decimals": [Decimal(1), Decimal("NaN"), Decimal(2)],
}


@pytest.mark.parametrize("name", FRAMES)
def test_logits_of_any_library(name):
    np.testing.assert_array_equal(datadiet.el2n(FRAMES[name], LABELS), EXPECTED)


@pytest.mark.parametrize("name", WHOLES)
def test_labels_and_ids_of_any_library(name):
    np.testing.assert_array_equal(datadiet.el2n(LOGITS, WHOLES[name]), EXPECTED)
    recorder = datadiet.Recorder(3, 3)
    recorder.update(WHOLES[name], LOGITS, LABELS)
    recorder.end_epoch()
    # The rows have the ids 1, 0, 2.
    np.testing.assert_array_equal(recorder.table()["el2n@1"], EXPECTED[[1, 0, 2]])


@pytest.mark.parametrize("name", MISSING)
def test_missing_labels_and_ids_are_refused_by_row(name):
    with pytest.raises(
        datadiet.LabelError, match=r"labels: 1 of 3 values are missing.*row 1"
    ) as label:
        datadiet.el2n(LOGITS, MISSING[name])
    assert label.value.row == 1
    recorder = datadiet.Recorder(3, 3)
    with pytest.raises(datadiet.IdError, match="ids: 1 of 3 values are missing"):
        recorder.update(MISSING[name], LOGITS, LABELS)
    with pytest.raises(datadiet.IdError, match="ids: 1 of 3"):
        texts_or_wholes(MISSING[name])


@pytest.mark.parametrize("name", [name for name in MISSING if name not in ("texts",)])
def test_missing_scores_are_nan_and_never_chosen(name):
    scores = scores_of(MISSING[name])
    np.testing.assert_array_equal(scores, [1, np.nan, 2])
    with pytest.raises(datadiet.SelectionError, match="drop_unscored"):
        datadiet.select(MISSING[name], count=1)
    chosen = datadiet.select(MISSING[name], count=2, drop_unscored=True)
    np.testing.assert_array_equal(chosen, [0, 2])


def test_masked_rows_of_logits_are_refused_by_number():
    for missing in (
        np.ma.MaskedArray(LOGITS, [[0] * 3, [1] * 3, [0] * 3]),
        pd.DataFrame(LOGITS).astype("Float64").mask(pd.Series([False, True, False])),
        pl.DataFrame(LOGITS).with_columns(pl.when(pl.int_range(3) != 1).then(pl.all())),
        pa.array([[0.0, 1.0, 0.5], [0.5, None, 1.0], [0.5, 0.0, 2.0]]),
    ):
        with pytest.raises(datadiet.NonFiniteError) as caught:
            datadiet.el2n(missing, LABELS)
        assert caught.value.rows == [1]


def test_a_mask_is_not_written_to():
    scores = np.ma.MaskedArray([0.5, 0.7], [0, 1])
    floats(scores)
    assert scores.data.tolist() == [0.5, 0.7]


def test_large_whole_numbers_keep_their_order_under_a_mask():
    scores = np.ma.MaskedArray([2**60 + 1, 2**60, 2**60 + 2], [0, 0, 1])
    assert scores_of(scores)[0] > scores_of(scores)[1]
    assert np.isnan(scores_of(scores)[2])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0.0, 1.5, 2.0], r"labels: float64 values, of which row 1 has 1\.5"),
        (np.array([0, 1, 2**24 + 2], dtype=np.float32), "row 2 has 16777218"),
        (["cat", "dog", "cat"], "labels: str values, such as 'cat'.*order of the logits' columns"),
        (pd.Series(["cat", "dog", "cat"], dtype="category"), "labels: str values"),
        (["01", "02", "03"], "such as '01'"),
        ([{}, {}, {}], "labels: object"),
        ([True, 1, 2.5j], "labels: complex128"),
    ],
)
def test_labels_that_are_not_whole_numbers(labels, message):
    with pytest.raises(datadiet.DtypeError, match=message):
        datadiet.el2n(LOGITS, labels)


def test_true_and_false_are_labels_but_not_ids():
    two = LOGITS[:, :2]
    found = datadiet.el2n(two, [True, False, True])
    np.testing.assert_array_equal(found, datadiet.el2n(two, [1, 0, 1]))
    with pytest.raises(datadiet.DtypeError, match="ids"):
        datadiet.Recorder(3, 2).update([True, False, True], two, [1, 0, 1])


def test_marks_with_missing_values_are_refused():
    assert marks(pd.Series([True, False], dtype="boolean"), "touched").tolist() == [True, False]
    with pytest.raises(datadiet.DtypeError, match="touched: 1 of 2 values are missing"):
        marks(pd.Series([True, None], dtype="boolean"), "touched")


def test_ids_of_texts_stay_texts():
    for ids in (["7", "a"], pd.Series(["7", "a"]), pl.Series(["7", "a"]), pa.array(["7", "a"])):
        assert texts_or_wholes(ids) == ["7", "a"]
    assert texts_or_wholes(pa.array(["7", "a"]).dictionary_encode()) == ["7", "a"]


def test_whole_numbers_beyond_64_bits_are_refused():
    assert wholes([2**64 - 1]).dtype == np.uint64
    with pytest.raises(datadiet.DtypeError):
        datadiet.el2n(LOGITS[:1], [2**64])


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(np.zeros((2, 11)), columns=sorted(map(str, range(11)))),
        pl.DataFrame({"logit_1": [0.0], "logit_0": [1.0]}),
        pa.table({"logits[1]": [0.0], "logits[0]": [1.0]}),
    ],
)
def test_numbered_columns_out_of_order_are_refused(frame):
    with pytest.raises(datadiet.ShapeError, match="not in order"):
        datadiet.el2n(frame, [0] * len(frame))


def test_rows_of_different_examples_are_refused():
    frame, labels = pd.DataFrame(LOGITS), pd.Series(LABELS)
    shuffled = labels.iloc[[2, 0, 1]]
    with pytest.raises(datadiet.ShapeError, match=r"labels\.loc\[logits\.index\]"):
        datadiet.el2n(frame, shuffled)
    np.testing.assert_array_equal(datadiet.el2n(frame, shuffled.loc[frame.index]), EXPECTED)
    with pytest.raises(datadiet.ShapeError, match="different indices"):
        datadiet.spearman(labels, shuffled)
    with pytest.raises(datadiet.ShapeError, match="different indices"):
        datadiet.noise_metrics(labels, shuffled > 1)
    with pytest.raises(datadiet.ShapeError, match="different indices"):
        datadiet.Recorder(3, 3).update(labels, frame, shuffled)


def test_an_array_in_one_piece_is_not_copied():
    for array in (LOGITS, LOGITS.astype(np.float32), np.ma.MaskedArray(LOGITS)):
        assert np.shares_memory(floats(array), array)
    assert plain(LOGITS) is LOGITS


SOFTMAX = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)


@pytest.mark.parametrize("digits", [None, 2])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_outputs_of_a_softmax_are_not_logits(dtype, digits):
    probs = np.tile(SOFTMAX, (4, 1)).astype(dtype)
    probs = probs if digits is None else probs.round(digits)
    labels = LABELS * 4
    for score in (datadiet.el2n, datadiet.loss, datadiet.logit_scores):
        with pytest.raises(datadiet.ProbabilityError, match=r"pass them as\s+probs="):
            score(probs, labels)
        score(probs + 1, labels)
    with pytest.raises(datadiet.ProbabilityError, match="softmax"):
        datadiet.aum(np.stack([probs, probs]), labels)
    recorder = datadiet.Recorder(12, 3)
    with pytest.raises(datadiet.ProbabilityError, match="softmax"):
        recorder.update(range(12), probs, labels)
    assert recorder.unfinished == 0


def test_a_recorder_notices_a_softmax_of_small_batches():
    recorder = datadiet.Recorder(12, 3)
    recorder.update([0], SOFTMAX[:1], LABELS[:1])
    with pytest.raises(datadiet.ProbabilityError, match="softmax"):
        for example in range(1, 12):
            row = slice(example % 3, example % 3 + 1)
            recorder.update([example], SOFTMAX[row], LABELS[row])
    # One row that cannot be of a softmax settles it: later batches may look so by chance.
    recorder = datadiet.Recorder(12, 3)
    recorder.update([0], LOGITS[1:2], LABELS[1:2])
    recorder.update(range(1, 12), np.tile(SOFTMAX, (4, 1))[1:], (LABELS * 4)[1:])


def test_logits_of_zeros_and_ones_are_made_by_hand():
    datadiet.el2n(np.eye(5), range(5))


def test_a_pandas_index_that_is_not_row_numbers_is_refused_in_select():
    pd = pytest.importorskip("pandas")
    scores = pd.Series([0.9, 0.1, 0.5, 0.3], index=[7, 3, 5, 1])
    with pytest.raises(datadiet.IdError, match="called 7, 3, 5, … by its index"):
        datadiet.select(scores, count=1)
    assert datadiet.select(scores.reset_index(drop=True), count=1).tolist() == [0]
    with pytest.raises(datadiet.ShapeError, match="different indices"):
        datadiet.select(
            scores.reset_index(drop=True),
            count=1,
            labels=pd.Series([0, 1, 0, 1], index=[3, 2, 1, 0]),
        )
