"""There and back: each format is read by the program that it is for, and what people do there comes back as marks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from packages import imported, installed
from PIL import Image

import datadiet
from datadiet.exceptions import CommandError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
ENVIRONMENT = Path(os.environ.get("DATADIET_EXCHANGE_ENV", CACHE / "datadiet/exchange-python"))

# Names that other programs take for markup, formulas, folders, numbers or the end of a cell.
CLASSES = ["cat", "a & <b>", "=dog", "3"]
KEYS = ["birds/1.png", "birds/2.png", "+3.png", "ü 4.png", '5,"x".png', "6.png", "7.png", "8.png"]
LABELS = [0, 1, 2, 3, 0, 1, 2, 3]
AUM = [-3.5, 2.0, -1.25, 4.0, 0.1, np.nan, 1.5, -9.0]
# Likeliest suspects first; the one without a score has no rank.
ORDER = [7, 0, 2, 4, 6, 1, 3, 5]


def elsewhere(program: str, *arguments: str | Path) -> Any:
    """What a program of python/tests prints, run where FiftyOne and Label Studio are."""
    python = ENVIRONMENT / "bin/python"
    if not python.exists():
        if os.environ.get("CI"):
            raise ModuleNotFoundError(f"no {python}: run scripts/exchange-python")
        pytest.skip("scripts/exchange-python was not run")
    command = [python, HERE / program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def table() -> datadiet.ScoreTable:
    return datadiet.ScoreTable.from_columns(
        {
            "id": range(8),
            "key": KEYS,
            "label": LABELS,
            "class": [CLASSES[label] for label in LABELS],
            "aum@9": AUM,
            "el2n@9": np.linspace(0, 1, 8),
            "predicted@9": [1, 1, 0, 3, 0, 1, 2, 2],
        }
    )


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A picture an example, each of another size."""
    for number, key in enumerate(KEYS):
        file = tmp_path / "photos" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (10 + number, 20), (number, 0, 0)).save(file)
    return tmp_path / "photos"


def acts(file: Path) -> dict[str, tuple[str, str | None]]:
    """What each example is marked as."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    said = [line for line in lines if "act" in line]
    return {
        id: (act["mark"], act.get("label"))
        for act in sorted(said, key=lambda act: act["at"])
        for id in act["ids"]
    }


def marked(file: Path, table: datadiet.ScoreTable, folder: Path) -> list[str]:
    """Ids of the subset that the command makes of marks."""
    scores, subset = folder / "again.parquet", folder / "clean.json"
    table.write(scores)
    command = ["select", scores, "--marks", file, "--out", subset, "--allow-empty-class"]
    subprocess.run([datadiet._program.find(), *command], check=True, capture_output=True)
    ids = datadiet.read_subset(subset)
    assert isinstance(ids, list)
    return ids


def test_a_spreadsheet_is_filled_in_and_comes_back(
    table: datadiet.ScoreTable, tmp_path: Path
) -> None:
    file = table.export("csv", tmp_path / "all.csv", n=3, scores=["aum@9", "el2n@end"])
    card = json.loads((tmp_path / "all.card.json").read_text())
    assert card["suspects"] == {"by": "aum@9", "count": 3} and card["classes"] == CLASSES
    # As pandas reads it without being told anything.
    frame = pandas.read_csv(file, dtype={"label": str, "predicted": str, "right_label": str})
    assert frame.columns[0] == "id"
    plain = {"+3.png": "'+3.png"}
    assert frame["id"].tolist() == [plain.get(KEYS[row], KEYS[row]) for row in ORDER]
    assert frame["suspect"].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert frame["rank"].tolist()[:7] == [1, 2, 3, 4, 5, 6, 7] and np.isnan(frame["rank"][7])
    np.testing.assert_array_equal(frame["aum@9"].to_numpy(np.float32), table["aum@9"][ORDER])
    assert not any(str(cell).startswith(("=", "+", "@")) for cell in frame["label"])
    frame = frame.astype({"mark": object, "right_label": object})
    for key, column, value in [
        ("8.png", "right_label", "a & <b>"),
        ("birds/1.png", "right_label", "'=dog"),
        ("'+3.png", "mark", "Drop"),
        ("birds/2.png", "mark", "keep"),
        ("6.png", "label", "3"),
        ("7.png", "right_label", "'=dog"),
    ]:
        frame.loc[frame["id"] == key, column] = value
    for name, options in [("comma.csv", {}), ("semicolon.csv", {"sep": ";"})]:
        frame.to_csv(tmp_path / name, index=False, **options)
        marks = tmp_path / f"{name}.jsonl"
        read = datadiet.read_marks(tmp_path / name, "csv", table, out=marks, by="ann")
        assert (read.wrong, read.relabelled, read.drop, read.keep, read.silent) == (3, 3, 1, 2, 2)
        assert acts(marks) == {
            "8.png": ("wrong", "a & <b>"),
            "birds/1.png": ("wrong", "=dog"),
            "+3.png": ("drop", None),
            "birds/2.png": ("keep", None),
            "6.png": ("wrong", "3"),
            "7.png": ("keep", None),
        }
        again = datadiet.read_marks(tmp_path / name, "csv", table, out=marks, by="ann")
        assert (again.wrong, again.known) == (0, 6)
    assert marked(marks, table, tmp_path) == ["birds/2.png", "ü 4.png", '5,"x".png', "7.png"]
    # Marks go out, and say nothing as they come back: bob has not said what ann did.
    out = table.export("csv", tmp_path / "marked.csv", only="marked", marks=marks, n=1)
    assert pandas.read_csv(out)["mark"].notna().sum() == 6
    back = datadiet.read_marks(out, "csv", table, out=marks, by="bob")
    assert (back.wrong, back.known, back.silent) == (0, 0, 6)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,mark\nnobody,drop\n", 'not in the table: "nobody"'),
        ("id,right_label\n6.png,horse\n", '"horse" are no classes'),
        ("id,mark\n6.png,perhaps\n", '"perhaps" in the column `mark` are no marks'),
        ("id,mark\n6.png,drop\n6.png,keep\n", '"6.png" is there more than once'),
        ("name,mark\n6.png,drop\n", "no column `id`"),
        ("id,mark\n6.png,drop\n,keep\n", "line 3 has no id"),
        ("id,right_label\n ,cat\n", "line 2 has no id"),
        ("id,label,mark\n,cat,\n", "line 2 has no id"),
        ("id,notes\n6.png,drop\n", "none of the columns `mark`"),
    ],
)
def test_what_a_spreadsheet_cannot_say(
    table: datadiet.ScoreTable, tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text(text)
    with pytest.raises(CommandError, match=told):
        datadiet.read_marks(file, "csv", table, out=tmp_path / "marks.jsonl")
    assert not (tmp_path / "marks.jsonl").exists()


def test_what_contradicts_itself_is_unsure(
    table: datadiet.ScoreTable, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "both.csv"
    file.write_text("id,mark,right_label\n6.png,keep,cat\n7.png,wrong,=dog\n")
    read = datadiet.read_marks(file, "csv", table, out=tmp_path / "marks.jsonl")
    assert (read.unsure, read.wrong, read.keep) == (2, 0, 0)
    assert "2 answers contradict themselves" in capfd.readouterr().err


def test_fiftyone_imports_edits_and_exports(
    table: datadiet.ScoreTable, images: Path, tmp_path: Path
) -> None:
    marks = tmp_path / "marks.jsonl"
    filled = tmp_path / "filled.csv"
    filled.write_text("id,mark,right_label\n6.png,wrong,cat\n")
    datadiet.read_marks(filled, "csv", table, out=marks, by="ann")
    folder = table.export(
        "fiftyone", tmp_path / "out", n=2, scores="all", subset=[0, 1], marks=marks, images=images
    )
    edits = tmp_path / "edits.json"
    edits.write_text(
        json.dumps(
            {
                "8.png": {"label": "a & <b>"},
                "birds/1.png": {"label": "=dog", "tags": ["drop"]},
                "+3.png": {"tags": ["keep"]},
                "7.png": {"label": None},
                "birds/2.png": {"tags": ["wrong", "something else"]},
                # A corrected label, set back to the given one.
                "6.png": {"label": "a & <b>"},
            }
        )
    )
    told = elsewhere("exchange_fiftyone.py", folder, edits, tmp_path / "back")
    samples = told["samples"]
    assert sorted(samples) == sorted(KEYS) and told["classes"] == CLASSES
    assert told["tags"] == {"suspect": 2, "kept": 2, "dropped": 6, "wrong": 1}
    assert told["suspects"] == 2 and told["info"]["suspects"]["by"] == "aum@9"
    assert told["about"]["aum_9"] == "aum@9"
    for row, key in enumerate(KEYS):
        sample = samples[key]
        assert sample["given_label"] == CLASSES[LABELS[row]]
        assert sample["size"] == [10 + row, 20], "the picture is that of the example"
        value = sample["aum_9"]
        assert (value is None and np.isnan(AUM[row])) or value == pytest.approx(AUM[row])
        expected = None if row == 5 else ORDER.index(row) + 1
        assert sample["rank"] == expected
    assert samples["6.png"]["ground_truth"] == "cat" and samples["6.png"]["marked_by"] == "ann"
    assert samples["8.png"]["predictions"] == "=dog"

    read = datadiet.read_marks(tmp_path / "back", "fiftyone", table, out=marks, by="bob")
    assert (read.wrong, read.relabelled, read.drop, read.keep) == (3, 1, 1, 2)
    assert (read.known, read.silent) == (0, 2)
    assert acts(marks) == {
        "6.png": ("keep", None),
        "8.png": ("wrong", "a & <b>"),
        "birds/1.png": ("drop", None),
        "+3.png": ("keep", None),
        "7.png": ("wrong", None),
        "birds/2.png": ("wrong", None),
    }
    assert marked(marks, table, tmp_path) == ["+3.png", "ü 4.png", '5,"x".png', "6.png"]
    other = datadiet.ScoreTable.from_columns({"key": ["x"], "aum@9": [0.0]})
    with pytest.raises(CommandError, match="8 ids are not in the table"):
        datadiet.read_marks(tmp_path / "back", "fiftyone", other, out=marks)


def test_label_studio_takes_tasks_and_gives_answers_back(
    table: datadiet.ScoreTable, images: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = table.export("label-studio", tmp_path / "tasks", n=6, images=images)
    answers = {
        "8.png": [{"label": "a & <b>", "by": "ann@x.org"}, {"label": "cat", "by": "bob@x.org"}],
        "birds/1.png": [{"label": "cat"}],
        "+3.png": [{"skipped": True}],
        '5,"x".png': [{"mark": "drop", "label": "cat", "by": 7}],
        "7.png": [{"mark": "wrong"}],
    }
    told = elsewhere("exchange_label_studio.py", folder, json.dumps(answers))
    assert told["classes"] == CLASSES and told["objects"] == ["ImageTag"]
    tasks = told["tasks"]
    assert [task["data"]["key"] for task in tasks] == [KEYS[row] for row in ORDER[:6]]
    scores = [task["predictions"][0]["score"] for task in tasks]
    assert scores[0] == 1 and scores == sorted(scores, reverse=True)
    predicted = [task["predictions"][0]["result"][0]["value"]["choices"] for task in tasks]
    assert predicted[0] == ["=dog"]
    first = tasks[0]["data"]
    assert (first["label"], first["rank"], first["suspect"], first["aum_9"]) == ("3", 1, True, -9.0)
    addresses = [task["data"]["image"] for task in tasks]
    assert addresses[1] == "/data/local-files/?d=birds/1.png"
    assert "/data/local-files/?d=%2B3.png" in addresses
    assert "LOCAL_FILES_DOCUMENT_ROOT" in capfd.readouterr().err

    marks = tmp_path / "marks.jsonl"
    completed = folder / "completed.json"
    read = datadiet.read_marks(completed, "label-studio", table, out=marks)
    assert (read.wrong, read.relabelled, read.drop, read.keep, read.unsure) == (3, 2, 1, 1, 1)
    assert (read.silent, read.disputed) == (1, 1)
    people = {json.loads(line).get("by") for line in marks.read_text().splitlines()}
    assert {"ann@x.org", "bob@x.org", "label-studio user 7"} <= people
    assert acts(marks)["birds/1.png"] == ("keep", None)
    assert marked(marks, table, tmp_path) == [
        "birds/1.png",
        "birds/2.png",
        "+3.png",
        "ü 4.png",
        "6.png",
    ]
    again = datadiet.read_marks(completed, "label-studio", table, out=marks)
    assert (again.wrong, again.known, again.disputed) == (0, 6, 1)


def test_label_studio_takes_texts_of_any_content(
    table: datadiet.ScoreTable, tmp_path: Path
) -> None:
    texts = ["<script>", "$label", "\u202eright to left", "x" * 100_000, "", "\n", "{{", "]]>"]
    file = tmp_path / "texts.jsonl"
    lines = [{"id": key, "text": text} for key, text in zip(KEYS, texts, strict=True)]
    file.write_text("\n".join(json.dumps(line) for line in reversed(lines)))
    folder = table.export("label-studio", tmp_path / "tasks", only="all", n=1, text=file)
    told = elsewhere("exchange_label_studio.py", folder, "{}")
    found = {task["data"]["key"]: task["data"]["text"] for task in told["tasks"]}
    assert found == dict(zip(KEYS, texts, strict=True)) and told["objects"] == ["TextTag"]


def test_label_studio_takes_ten_thousand_classes(tmp_path: Path) -> None:
    names = [f"class <{number}>" for number in range(10_000)]
    table = datadiet.ScoreTable.from_columns(
        {
            "label": range(10_000),
            "class": names,
            "aum@1": np.linspace(-1, 1, 10_000),
            "predicted@1": np.roll(np.arange(10_000), 1),
            "text": names,
        }
    )
    folder = table.export("label-studio", tmp_path / "tasks", n=3)
    told = elsewhere("exchange_label_studio.py", folder, '{"0": [{"label": "class <9999>"}]}')
    assert told["classes"] == names and told["layout"] == "select"
    read = datadiet.read_marks(
        folder / "completed.json", "label-studio", table, out=tmp_path / "marks.jsonl"
    )
    assert read.relabelled == 1 and acts(read.marks)["0"] == ("wrong", "class <9999>")


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ([{"id": 1, "label": "cat", "image": "x"}], "export the project as JSON, not as JSON-MIN"),
        ([{"data": {"image": "x"}, "annotations": []}], "no `key` in its data"),
        ([{"data": {"key": "nobody"}, "annotations": []}], 'not in the table: "nobody"'),
        (
            [{"data": {"key": "6.png"}, "annotations": [{"label": "horse"}]}],
            '"horse" are no classes',
        ),
        (
            [{"data": {"key": "6.png"}, "annotations": [{"boxes": "cat"}]}],
            'annotations answer "boxes"',
        ),
        ({"tasks": []}, "no export of Label Studio"),
    ],
)
def test_what_label_studio_cannot_say(
    table: datadiet.ScoreTable, tmp_path: Path, tasks: Any, told: str
) -> None:
    for task in tasks if isinstance(tasks, list) else []:
        for annotation in task.get("annotations", []):
            ((name, choice),) = annotation.items()
            annotation["result"] = [
                {"from_name": name, "type": "choices", "value": {"choices": [choice]}}
            ]
    file = tmp_path / "export.json"
    file.write_text(json.dumps(tasks))
    with pytest.raises(CommandError, match=told):
        datadiet.read_marks(file, "label-studio", table, out=tmp_path / "marks.jsonl")


def instances() -> dict[str, Any]:
    """A file of COCO with an image too many, and two annotations an image."""
    names = [*KEYS, "other.png"]
    return {
        "info": {"year": 2026, "note": "1.10 stays 1.10"},
        "images": [
            {"id": 100 + number, "file_name": name, "width": 10 + number, "height": 20}
            for number, name in enumerate(names)
        ],
        "annotations": [
            {
                "id": 2 * number + place,
                "image_id": 100 + number,
                "category_id": 1 + place,
                "bbox": [1, 2, 3, 4.5],
                "area": 13.5,
                "iscrowd": 0,
            }
            for number in range(len(names))
            for place in range(2)
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }


def test_coco_keeps_the_annotations_of_the_images_that_stay(
    table: datadiet.ScoreTable, tmp_path: Path
) -> None:
    coco = imported("pycocotools.coco")
    source = tmp_path / "instances.json"
    source.write_text(json.dumps(instances()))
    file = table.export("coco", tmp_path / "kept.json", subset=[0, 2, 4], source=source, n=1)
    found, whole = coco.COCO(str(file)), coco.COCO(str(source))
    kept = [100, 102, 104]
    assert sorted(found.getImgIds()) == kept
    for id in kept:
        ours = found.loadAnns(found.getAnnIds(imgIds=id))
        assert ours == whole.loadAnns(whole.getAnnIds(imgIds=id)) and len(ours) == 2
    assert found.dataset["info"] == whole.dataset["info"] and found.cats == whole.cats
    record = found.loadImgs(100)[0]["datadiet"]
    assert record["id"] == "birds/1.png" and record["scores"] == {"aum@9": -3.5}
    assert record["kept"] and record["rank"] == 2 and not record["suspect"]
    with pytest.raises(CommandError, match="already: give the one it was made from"):
        table.export("coco", tmp_path / "twice.json", only="all", n=1, source=file)
    numbered = datadiet.ScoreTable.from_columns({"key": [104, 101], "mean-loss@1": [0.5, 0.7]})
    file = numbered.export("coco", tmp_path / "numbered.json", only="all", source=source)
    assert sorted(coco.COCO(str(file)).getImgIds()) == [101, 104]
    for field, value, told in [
        ("file_name", "birds/1.png", '"birds/1.png"'),
        ("id", 100, "two of its images have the id 100"),
    ]:
        twice = instances()
        twice["images"][8][field] = value
        source.write_text(json.dumps(twice))
        with pytest.raises(CommandError, match=told):
            table.export("coco", tmp_path / "no.json", only="all", n=1, source=source)
    for columns, told in [
        ({"key": ["nobody.png"]}, "no image there"),
        ({"key": ["1"]}, "the name of more than one image"),
        ({}, "gives its 1 examples no ids"),
    ]:
        ambiguous = instances()
        ambiguous["images"][8]["file_name"] = "fish/1.png"
        source.write_text(json.dumps(ambiguous))
        other = datadiet.ScoreTable.from_columns({**columns, "mean-loss@1": [0.5]})
        with pytest.raises(CommandError, match=told):
            other.export("coco", tmp_path / "no.json", only="all", source=source)


def test_coco_lists_the_files_of_a_folder(
    table: datadiet.ScoreTable, images: Path, tmp_path: Path
) -> None:
    coco = imported("pycocotools.coco")
    file = table.export("coco", tmp_path / "list.json", only="suspects", n=2, images=images)
    listed = coco.COCO(str(file)).loadImgs([1, 2])
    sizes = [(one["file_name"], one["width"], one["height"]) for one in listed]
    assert sizes == [("birds/1.png", 10, 20), ("8.png", 17, 20)]


def test_ultralytics_trains_on_the_list(
    table: datadiet.ScoreTable, images: Path, tmp_path: Path
) -> None:
    installed("ultralytics")
    folder = tmp_path / "images"
    images.rename(folder)
    for key in KEYS:
        label = (tmp_path / "labels" / key).with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.5 0.5 0.5 0.5\n")
    table.export("yolo", tmp_path / "kept.txt", subset=[1, 2, 3], images=folder, n=1)
    data = tmp_path / "data.yaml"
    data.write_text(f"path: {tmp_path}\ntrain: kept.txt\nval: kept.txt\nnames: [thing]\n")
    program = (
        "import json, sys; from ultralytics.data import YOLODataset;"
        "from ultralytics.data.utils import check_det_dataset;"
        "data = check_det_dataset(sys.argv[1], autodownload=False);"
        "found = YOLODataset(img_path=data['train'], data=data, imgsz=32, augment=False);"
        "print(json.dumps([[one['im_file'], len(one['cls'])] for one in found.labels]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, data], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    found = dict(json.loads(done.stdout.splitlines()[-1]))
    assert found == {str(folder / KEYS[row]): 1 for row in (1, 2, 3)}
    for name, options, told in [
        ("kept", {"images": folder}, "must end in .txt"),
        ("list.txt", {}, "wants pictures"),
    ]:
        with pytest.raises(CommandError, match=told):
            table.export("yolo", tmp_path / name, only="all", n=1, **options)


def shards(folder: Path, keys: list[list[str]]) -> str:
    """Shards of pictures with a label and a text, as somebody else made them."""
    for number, of_shard in enumerate(keys):
        writer = imported("webdataset").TarWriter(str(folder / f"mine-{number:03}.tar"))
        for key in of_shard:
            cat = Image.new("RGB", (4, 4), (1, 2, 3))
            writer.write({"__key__": key, "png": cat, "cls": 5, "seg.txt": f"of {key}"})
        writer.close()
    return str(folder / f"mine-{{000..{len(keys) - 1:03}}}.tar")


def test_webdataset_reads_filtered_shards(tmp_path: Path) -> None:
    webdataset = imported("webdataset")
    source = shards(tmp_path, [["a/1", "a/2"], ["b/1", "b/2"], ["c/1"]])
    table = datadiet.ScoreTable.from_columns(
        {"key": ["b/2", "a/1", "b/1", "a/2"], "mean-loss@1": [0.1, 0.2, 0.3, 0.4]}
    )
    folder = table.export("webdataset", tmp_path / "kept", subset=[0, 1, 2], source=source)
    files = sorted(path.name for path in folder.glob("*.tar"))
    assert files == ["mine-000.tar", "mine-001.tar"]
    urls = [str(folder / name) for name in files]
    found = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert [one["__key__"] for one in found] == ["a/1", "b/1", "b/2"]
    assert [one["scores.json"]["scores"]["mean-loss@1"] for one in found] == [0.2, 0.3, 0.1]
    assert all(one["cls"] == 5 and one["png"][0, 0].tolist() == [1, 2, 3] for one in found)
    assert [one["seg.txt"] for one in found] == ["of a/1", "of b/1", "of b/2"]
    # What was there is there as it was.
    with tarfile.open(tmp_path / "mine-001.tar") as before, tarfile.open(urls[1]) as after:
        kept = {one.name: after.extractfile(one).read() for one in after}  # type: ignore[union-attr]
        for one in before:
            assert kept.pop(one.name) == before.extractfile(one).read()  # type: ignore[union-attr]
        assert sorted(kept) == ["b/1.scores.json", "b/2.scores.json"]
    with pytest.raises(CommandError, match=r"has a/1.scores.json already"):
        table.export("webdataset", tmp_path / "again", only="all", source=urls)


def test_shards_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    source = shards(tmp_path, [["000", "001"], ["002"]])
    for columns, told in [
        ({"key": ["000", "x"]}, '1 of 2 examples are in none of the shards: "x"'),
        ({"key": [1, 7]}, "1 of 2 examples are in none of the shards"),
        ({"id": [0, 1]}, "gives its 2 examples no ids, and the shards have 3 keys"),
    ]:
        table = datadiet.ScoreTable.from_columns({**columns, "mean-loss@1": [0.1, 0.2]})
        with pytest.raises(CommandError, match=told):
            table.export("webdataset", tmp_path / "kept", only="all", source=source)
    assert not (tmp_path / "kept").exists()
    table = datadiet.ScoreTable.from_columns({"mean-loss@1": [0.1, 0.2, 0.3]})
    assert table.export("webdataset", tmp_path / "kept", only="all", source=source).is_dir()
    twice = [tmp_path / "mine-000.tar", tmp_path / "mine-000.tar"]
    with pytest.raises(CommandError, match=r"two shards are called mine-000.tar"):
        table.export("webdataset", tmp_path / "twice", only="all", source=twice)
    (tmp_path / "copy.tar").write_bytes((tmp_path / "mine-000.tar").read_bytes())
    twice = [tmp_path / "mine-000.tar", tmp_path / "copy.tar"]
    with pytest.raises(CommandError, match="is there twice"):
        table.export("webdataset", tmp_path / "twice", only="all", source=twice)


def test_webdataset_reads_shards_of_pictures_and_texts(
    table: datadiet.ScoreTable, images: Path, tmp_path: Path
) -> None:
    webdataset = imported("webdataset")
    folder = table.export("webdataset", tmp_path / "shards", only="all", n=2, images=images)
    urls = [str(path) for path in sorted(folder.glob("*.tar"))]
    found = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert [one["json"]["id"] for one in found] == KEYS
    assert [one["cls"] for one in found] == LABELS
    assert [one["png"].shape[1] for one in found] == [10 + row for row in range(8)]
    assert [one["json"]["suspect"] for one in found] == [row in ORDER[:2] for row in range(8)]
    texts = datadiet.ScoreTable.from_columns({"text": ["one", "two"], "mean-loss@1": [0.1, 0.2]})
    folder = texts.export("webdataset", tmp_path / "texts", only="all")
    urls = [str(folder / "shard-000000.tar")]
    found = list(webdataset.WebDataset(urls, shardshuffle=False).decode())
    assert [one["txt"] for one in found] == ["one", "two"]


def test_nothing_is_written_over_and_nothing_is_guessed(
    table: datadiet.ScoreTable, tmp_path: Path
) -> None:
    file = table.export("csv", tmp_path / "a.csv", n=1)
    before = file.read_bytes()
    with pytest.raises(CommandError, match="is there already"):
        table.export("csv", file, n=2)
    assert file.read_bytes() == before
    out = tmp_path / "no"
    for to, options, told in [
        ("csv", {"only": "kept"}, "by which choice"),
        ("csv", {"only": "marked"}, "marked by whom"),
        ("csv", {"only": "suspects"}, "say how many suspects you want: -n N"),
        ("csv", {"n": 0}, "-n 1 or more"),
        ("csv", {"n": 1, "scores": "aum@8"}, "aum@9"),
        ("csv", {"n": 1, "source": "x.json"}, "--from belongs to"),
        ("csv", {"n": 1, "url": "https://x"}, "--url belongs to"),
        ("label-studio", {"n": 1}, "give --images DIR, --data NAME or --text FILE"),
        ("fiftyone", {"n": 1}, "FiftyOne wants pictures"),
        ("coco", {"n": 1, "only": "all"}, "which images"),
        ("webdataset", {"n": 1, "only": "all"}, "which examples"),
    ]:
        name = "no.json" if to == "coco" else out
        with pytest.raises(CommandError, match=told):
            table.export(to, tmp_path / name, **options)  # type: ignore[arg-type]
    assert not out.exists()
    twice = datadiet.ScoreTable.from_columns(
        {"label": [0, 1], "class": ["cat", "cat"], "aum@1": [0.1, 0.2]}
    )
    with pytest.raises(CommandError, match='two classes are called "cat"'):
        twice.export("csv", out, n=1)
    with pytest.raises(ValueError, match="Pass out="):
        datadiet.read_marks(file, "csv", table)
