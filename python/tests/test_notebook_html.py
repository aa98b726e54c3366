"""What a notebook shows of tables, suspects and selections: said, escaped, in little room, in any theme."""

import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import datadiet
from datadiet import _program

SAMPLES = Path(__file__).resolve().parents[2] / "samples/fashion-mnist"
ALLOWED = {
    "div",
    "span",
    "b",
    "bdi",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
}
ALLOWED |= {"dl", "dt", "dd", "img", "iframe", "a", "h4"}
HOSTILE = "</td><script>alert(1)</script>$x^2$ \"'><img src=x onerror=alert(1)>"
HEBREW = "שלום \u202eevil"


class Page(HTMLParser):
    """Elements, attributes and texts of a fragment; fails on what is not closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = set(), [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return "".join(self.texts)


def page(shown):
    html = shown._repr_html_()
    found = Page(html)
    assert found.tags <= ALLOWED, found.tags - ALLOWED
    names = {name for name, _ in found.attributes}
    assert not {name for name in names if name.startswith("on")}
    # No colours of one theme: what is not a colour of its own is the text's.
    assert not re.search(r"[^-]color:(?!inherit)", html) and "background:#fff" not in html
    # A pair of dollars would be a formula.
    assert not [text for text in found.texts if text.count("$") > 1]
    return found


def recorded(chance, n=300, classes=4, names=None):
    labels = np.arange(n) % classes
    recorder = datadiet.Recorder(n, n_classes=classes)
    for epoch in range(5):
        logits = chance.normal(size=(n, classes))
        logits[np.arange(n), labels] += epoch
        logits[:9, :] = np.eye(classes)[(labels[:9] + 1) % classes] * 9
        recorder.update(np.arange(n), logits, labels)
        recorder.end_epoch()
    table = recorder.table()
    if names is None:
        return table
    columns = {name: table[name] for name in table}
    columns["class"] = [names[label] for label in labels]
    return datadiet.ScoreTable.from_columns(columns, table.metadata)


def test_a_table_says_how_far_to_trust_it_and_what_columns_mean(chance):
    found = page(recorded(chance))
    for part in (
        "300 examples",
        "4 classes",
        "Hardest by el2n@5",
        "come from one training",
        "Definitions",
    ):
        assert part in found.text, part
    hints = {value for name, value in found.attributes if name == "title"}
    assert any("‖p − y‖₂" in hint for hint in hints)
    assert repr(recorded(chance)).startswith("ScoreTable(300 rows: id, label")


def test_a_table_from_elsewhere_says_so():
    table = datadiet.ScoreTable.from_columns({"mine": [0.5, 1.0, 2.0]})
    found = page(table)
    assert "nobody says where from" in found.text
    assert "which end of mine is hard is not known" in found.text


@pytest.mark.parametrize(
    "columns", [{"id": [0, 1]}, {"text": ["a", "b"]}, {"el2n@1": [np.nan, np.nan]}]
)
def test_a_table_without_scores_is_shown(columns):
    found = page(datadiet.ScoreTable.from_columns(columns))
    assert "2 examples" in found.text and next(iter(columns)) in found.text


def test_suspects_are_those_of_the_command_and_have_ids(chance):
    table = recorded(chance)
    suspects = table.suspects(9)
    assert sorted(suspects.ids.tolist()) == list(range(9)) and suspects.ids.dtype == np.uint32
    assert [one.id for one in suspects] == suspects.ids.tolist()
    assert suspects[0].labelled == str(table["label"][suspects[0].id])
    assert {one.predicted for one in suspects} <= set("0123")
    assert suspects.by == "aum@5" and [one.id for one in suspects[:2]] == suspects.ids[:2].tolist()
    assert repr(suspects).startswith("Suspects(9 by aum@5: ") and "1 more" in repr(suspects)
    found = page(suspects)
    assert "look before you remove" in found.text and "labelled" in found.text
    assert str(suspects.wrong_labels).rstrip(".").lower()[:20] in found.text.lower()
    by_el2n = table.suspects(3, by="el2n@end")
    assert by_el2n.by == "el2n@5" and "by el2n@5" in page(by_el2n).text
    assert table.suspects(0).ids.size == 0 and len(table.suspects(10**6)) == 300
    with pytest.raises(datadiet.ColumnError):
        table.suspects(by="nothing@end")


def test_a_selection_is_an_array_with_what_one_should_know(chance):
    table = recorded(chance)
    chosen = table.select(0.2)
    assert isinstance(chosen, np.ndarray) and chosen.dtype == np.uint32
    assert repr(chosen) == repr(np.asarray(chosen))
    assert sum(kept for kept, _ in chosen.classes.values()) == len(chosen) == 60
    assert any('rule="ccs"' in caution for caution in chosen.cautions)
    found = page(chosen)
    for part in ("60 of 300 examples", "by el2n@5", "rule=", "share"):
        assert part in found.text, part
    # A part of it is not what was chosen.
    assert type(chosen[:10]) is np.ndarray and type(chosen + 1) is np.ndarray
    assert chosen.copy()._repr_html_() is None
    assert chosen.max() in chosen and int(chosen[0]) == chosen.tolist()[0]


def test_names_cannot_break_out(chance):
    names = [HOSTILE, HEBREW, "x" * 5000, "\x00\x1b[31m"]
    table = recorded(chance, names=names)
    for shown in (table, table.suspects(9), table.select(0.5)):
        found = page(shown)
        # It is said, as a text or on hover, and stands nowhere else.
        places = {name for name, value in found.attributes if "alert(1)" in str(value)}
        assert "alert(1)" in found.text and places <= {"title"}
        assert "\x00" not in found.text and "\x1b" not in found.text
        assert len(shown._repr_html_()) < 100_000
    assert HOSTILE in page(table.suspects(9)).text
    assert f"<bdi>{HEBREW}"[:9] in table.suspects(9)._repr_html_()
    named = datadiet.ScoreTable.from_columns({HOSTILE: [0.1, 0.2], "b" * 4000: [1.0, 2.0]})
    page(named)


def test_ten_thousand_classes_stay_short(chance):
    labels = np.arange(40_000) % 10_000
    table = datadiet.ScoreTable.from_columns(
        {
            "label": labels,
            "class": [f"class {label}" for label in labels],
            "el2n@4": chance.random(40_000),
        }
    )
    chosen = table.select(0.75, allow_empty_class=True)
    for shown in (table, table.suspects(), chosen):
        assert len(shown._repr_html_()) < 60_000
        page(shown)
    assert "9,988 more classes" in page(chosen).text


def test_pictures_that_are_given_are_shown(chance):
    images = chance.integers(0, 256, (300, 8, 8), dtype=np.uint8)
    table = recorded(chance).with_images(images)
    for shown, least in (
        (table, 8),
        (table.suspects(12), 12),
        (table.select(0.5), 20),
        (table.top(5), 5),
    ):
        assert shown._repr_html_().count("data:image/png") == least
    assert repr(table) == repr(recorded(chance))
    # Those of ids that are not there.
    with pytest.raises(datadiet.IdError):
        recorded(chance).with_images(images[:200])
    with pytest.raises(datadiet.DtypeError):
        recorded(chance).with_images(images / 255)


def test_pictures_of_the_data_set_that_was_scored_are_found(tmp_path, monkeypatch, chance):
    monkeypatch.setenv("DATADIET_HOME", str(tmp_path / "home"))
    call = [_program.find(), "data", "import", str(SAMPLES), "--name", "fashion", "--json"]
    subprocess.run(call, check=True, capture_output=True)
    show = [_program.find(), "data", "list", "--json"]
    listed = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    fingerprint = re.search(r"[0-9a-f]{64}", listed).group()
    labels = recorded(chance, 1000, 10)
    card = labels.card
    card["data"] = {"name": "fashion", "fingerprint": fingerprint, "limit": None}
    card["relabelled"] = True
    columns = {name: labels[name] for name in labels}
    table = datadiet.ScoreTable.from_columns(columns, {"datadiet": json.dumps(card)})
    assert table._repr_html_().count("data:image/png") == 8
    assert table.suspects(5)._repr_html_().count("data:image/png") == 5
    # Another data set of the same name has other pictures.
    card["data"]["fingerprint"] = "0" * 64
    other = datadiet.ScoreTable.from_columns(columns, {"datadiet": json.dumps(card)})
    assert "data:image/png" not in other._repr_html_()


def test_a_million_examples_are_shown_at_once(chance):
    n = 1_000_000
    table = datadiet.ScoreTable.from_columns({"id": np.arange(n), "el2n@4": chance.random(n)})
    assert "1,000,000 examples" in page(table).text
