"""Figures: what axes say, who is marked, which backend, and what cannot be drawn."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from packages import imported

import datadiet
from datadiet import _plot_data, plots

RESULTS = Path(__file__).resolve().parents[2] / "results"
N = 400


@pytest.fixture(autouse=True)
def no_windows():
    imported("matplotlib").use("Agg")
    yield
    imported("matplotlib.pyplot").close("all")


@pytest.fixture
def table(chance):
    labels = np.arange(N) % 3
    recorder = datadiet.Recorder(N, n_classes=3)
    for epoch in range(5):
        logits = chance.normal(size=(N, 3))
        logits[np.arange(N), labels] += epoch
        recorder.update(np.arange(N), logits, labels)
        recorder.end_epoch()
    return recorder.table()


def entries(axes):
    legend = axes.get_legend() or axes.figure.legends[0]
    return [text.get_text() for text in legend.get_texts()]


def test_a_map_is_cartography_with_directions_and_definitions(table):
    axes = table.plot.map()
    assert (
        axes.get_xlabel()
        == "variability@5 (high is hard)\npopulation standard deviation over presentations of p_y"
    )
    assert axes.get_ylabel().startswith("confidence@5 (low is hard)\nmean over presentations")
    assert axes.get_title(loc="left") == "400 examples"
    assert entries(axes) == ["0 (134)", "1 (133)", "2 (133)", "20 likeliest suspects by aum@5"]


def test_points_are_where_the_columns_say(table):
    axes = table.plot.map("el2n@end", "aum@5", colour="right", suspects=0)
    points = np.concatenate([one.get_offsets() for one in axes.collections])
    expected = np.stack([table["el2n@5"], table["aum@5"]], 1)
    np.testing.assert_array_equal(
        points[np.lexsort(points.T)], expected[np.lexsort(expected.T)].astype(float)
    )
    right = int((table["label"] == table["predicted@5"]).sum())
    assert entries(axes) == [
        f"predicted as labelled ({right})",
        f"predicted as another class ({N - right})",
    ]
    suspects = table.plot.map("el2n@end", "aum@5", suspects=7).collections[-1].get_offsets()
    np.testing.assert_array_equal(suspects[:, 1], table.top(7, "aum@5")["aum@5"].astype(float))


def test_the_hard_end_is_that_of_the_table():
    table = datadiet.ScoreTable.from_columns(
        {"mine": [1.0, 2.0], "el2n@4": [0.1, 0.2], "el2n@4.se": [0.1, 0.3]}
    )
    axes = table.plot.map("el2n@4", "el2n@4.se")
    assert axes.get_xlabel().startswith("el2n@4 (high is hard)")
    assert axes.get_ylabel() == "el2n@4.se\nstandard error over replicas of el2n@4"
    assert table.plot.hist("mine").get_xlabel() == "mine"
    # Nobody knows which end is suspect.
    mine = datadiet.ScoreTable.from_columns({"mine": [1.0, 2.0]})
    assert len(mine.plot.map("mine", "mine").collections) == 1
    with pytest.warns(UserWarning, match="which end of mine"):
        mine.plot.map("mine", "mine", suspects=1)


def test_names_are_no_formulas_and_no_tags(table):
    name = "$a_b$ <b>x</b>"
    odd = datadiet.ScoreTable.from_columns(
        {name: table["el2n@5"], "label": table["label"], "class": [name] * N}
    )
    axes = odd.plot.map(name, name)
    axes.figure.canvas.draw()
    assert axes.get_xlabel() == name.replace("$", r"\$")
    imported("plotly")
    text = odd.plot.map(name, name, backend="plotly").layout.xaxis.title.text
    assert text == "&#36;a_b&#36; &lt;b&gt;x&lt;/b&gt;"


def test_bars_hold_every_example(table):
    axes = table.plot.hist("el2n@end", colour="label", bins=20)
    assert sum(patch.get_height() for patch in axes.patches) == N
    assert axes.get_ylabel() == "examples" and "el2n@5 (high is hard)" in axes.get_xlabel()
    assert "20 likeliest suspects by aum@5" in entries(axes)
    assert sum(patch.get_height() for patch in table.plot.hist().patches) == N


def test_values_that_are_missing_are_told():
    table = datadiet.ScoreTable.from_columns(
        {"a": [1.0, np.nan, 3.0, np.inf], "b": [1.0, 2.0, 3.0, 4.0]}
    )
    text = "2 examples; 2 without a value are left out"
    assert table.plot.map("a", "b").get_title(loc="left") == text
    assert table.plot.hist("a").get_title(loc="left") == text
    with pytest.raises(datadiet.ColumnError, match="no example has a value in c"):
        datadiet.ScoreTable.from_columns({"c": [np.nan, np.nan]}).plot.hist("c")


def test_a_million_points_are_a_density(chance):
    n = 1_000_000
    columns = {
        "label": chance.integers(0, 5, n),
        "aum@4": chance.normal(size=n),
        "el2n@4": chance.random(n),
    }
    table = datadiet.ScoreTable.from_columns(columns)
    axes = table.plot.map("el2n@4", "aum@4")
    cells, suspects = axes.collections
    assert cells.get_array().sum() == n and len(suspects.get_offsets()) == 20
    imported("plotly")
    figure = table.plot.map("el2n@4", "aum@4", backend="plotly")
    assert np.nansum(np.array(figure.data[0].customdata, float)) == n
    assert len(figure.to_json()) < 2_000_000
    with pytest.raises(datadiet.ColumnError, match="cannot show classes"):
        table.plot.map("el2n@4", "aum@4", colour="label")
    few = datadiet.ScoreTable.from_columns(
        {name: values[:5000] for name, values in columns.items()}
    )
    mean = few.plot.map("el2n@4", "aum@4", colour="el2n@4", dense=True).collections[0].get_array()
    assert 0 <= mean.min() and mean.max() <= 1


def test_forty_classes_are_told_apart_as_far_as_that_goes(chance):
    columns = {"label": np.arange(400) % 40, "a": chance.random(400), "b": chance.random(400)}
    axes = datadiet.ScoreTable.from_columns(columns).plot.map("a", "b")
    assert entries(axes)[0] == "17 other classes (170)" and len(entries(axes)) == 24


def test_a_curve_is_that_of_the_outcome():
    folder = RESULTS / "cifar10-resnet8/curve"
    outcome = json.loads((folder / "outcome.json").read_text())
    for given in (folder, folder / "outcome.json", str(folder), outcome):
        axes = plots.curve(given)
        assert entries(axes) == ["everything", "el2n@3", "forgetting@8", "grand@0", "random"]
    drawn = axes.containers[0].lines[0].get_xydata()
    found = {
        one["keep"]: one["accuracy"]["mean"]
        for one in outcome["curve"]["points"]
        if one["series"] == "el2n@3"
    }
    assert {float(x): float(y) for x, y in drawn} == found
    assert axes.get_ylabel() == "accuracy" and "one training a point" in axes.get_xlabel()
    imported("plotly")
    figure = plots.curve(folder, backend="plotly")
    assert [trace.name for trace in figure.data] == ["el2n@3", "forgetting@8", "grand@0", "random"]


def spread(mean, metric=None):
    found = {
        "mean": mean,
        "low": mean - 0.01,
        "high": mean + 0.01,
        "values": [mean - 0.01, mean + 0.01],
    }
    return found | ({"metric": metric} if metric else {})


def test_a_search_is_drawn_with_what_it_found():
    def arm(keep, drop, mean, quota="none"):
        return [{"keep": keep, "drop": drop, "quota": quota}, spread(mean)]

    def final(series, mean):
        return {
            "series": series,
            "keep": 0.5,
            "size": 5,
            "skew": 1.0,
            "steps": 9,
            "accuracy": spread(mean),
        }

    finals = {
        "answer": final("answer", 0.8),
        "random": final("random", 0.7),
        "hardest": None,
        "full": spread(0.82),
    }
    arms = [
        arm(0.5, 0.0, 0.7),
        arm(0.5, 0.0, 0.6, "balanced"),
        arm(0.7, 0.1, 0.75),
        arm(0.7, 0.0, 0.72),
        arm(0.7, 0.0, 0.65, "balanced"),
    ]
    rungs = [{"steps": 9, "full": None, "arms": arms}]
    axes = datadiet.experiments.Diet(
        "", True, None, Path(), {"tune": {"rungs": rungs, "finals": finals}}
    ).plot.curve()
    held = "held out, last round: "
    assert entries(axes) == [
        "everything",
        held + "the hardest",
        held + "the hardest, classes balanced",
        held + "without the hardest 10%",
        "test: the answer",
        "test: as many at random",
    ]
    assert "do not compare" in axes.get_xlabel().replace("\n", " ")
    # Each quota is a line of its own.
    lines = _plot_data.lines({"tune": {"rungs": rungs, "finals": finals}}, 0).lines
    assert [line.mean.tolist() for line in lines[:3]] == [[0.7, 0.72], [0.6, 0.65], [0.75]]


def test_another_metric_says_which_end_is_good():
    metric = {"name": "perplexity", "higher_is_better": False}
    point = {"series": "loss@2", "keep": 0.5, "accuracy": spread(7.5, metric)}
    found = {"curve": {"how": "", "points": [point], "full": spread(7.0, metric)}}
    assert plots.curve(found).get_ylabel() == "perplexity (lower is better)"


@pytest.mark.parametrize(
    "found, message",
    [
        ({"noise": {}}, "no curve"),
        (
            {"curve": {"points": [{"series": "a", "keep": 0.5, "accuracy": None}], "full": None}},
            "every training",
        ),
    ],
)
def test_outcomes_without_a_curve_are_refused(found, message):
    with pytest.raises(ValueError, match=message):
        plots.curve(found)
    with pytest.raises(ValueError, match="there is no curve 2"):
        plots.curve(RESULTS / "cifar10-resnet8/curve", 2)
    with pytest.raises(FileNotFoundError):
        plots.curve("nowhere")


def test_what_cannot_be_drawn_is_named(table):
    for call in (
        lambda: table.plot.map("nothing"),
        lambda: table.plot.map(colour="nothing"),
        lambda: table.plot.hist("nothing"),
    ):
        with pytest.raises(datadiet.ColumnError, match="nothing"):
            call()
    with pytest.raises(datadiet.ColumnError, match="texts"):
        datadiet.ScoreTable.from_columns({"a": [1.0], "t": ["x"]}).plot.map("a", "t")
    with pytest.raises(ValueError, match="0 bins"):
        table.plot.hist(bins=0)
    with pytest.raises(datadiet.ColumnError, match="coloured by classes"):
        table.plot.hist(colour="el2n@5")
    with pytest.raises(datadiet.ColumnError, match="right or wrong needs"):
        datadiet.ScoreTable.from_columns({"a": [1.0, 2.0]}).plot.map("a", "a", colour="right")


def test_one_draws_into_given_axes(table):
    pyplot = imported("matplotlib.pyplot")
    _, axes = pyplot.subplots()
    assert table.plot.map(ax=axes) is axes
    with pytest.raises(ValueError, match="ax is of matplotlib"):
        table.plot.map(ax=axes, backend="plotly")


def test_backends(table, monkeypatch):
    with pytest.raises(ValueError, match="are known"):
        table.plot.map(backend="gnuplot")
    real = importlib.util.find_spec

    def without(*missing):
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name in missing else real(name)
        )

    imported("plotly")
    without("matplotlib")
    assert type(table.plot.map()).__name__ == "Figure"
    without("matplotlib", "plotly")
    with pytest.raises(ImportError, match="matplotlib or plotly, which are not installed"):
        table.plot.map()
    without("plotly")
    with pytest.raises(
        ImportError, match="need plotly, which is not installed: pip install plotly"
    ):
        table.plot.map(backend="plotly")
