"""Cleanlab's Datalab: our suspects among its issues, and its label issues as a table of ours.

A Datalab knows an issue of each example by two columns, ``is_NAME_issue`` and ``NAME_score`` in [0, 1], low where it is
severe; its label issues have ``given_label`` and ``predicted_label`` too. Scores are joined to the examples by ids,
and the labels of both sides must be the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from datadiet._join import (
    class_names,
    rows_by_id,
    rows_by_number,
    whether_by_row,
)
from datadiet._needed import needed
from datadiet.exceptions import ColumnError, LabelError, TableError
from datadiet.table import ScoreTable

if TYPE_CHECKING:
    from datadiet.table import HardEnd

__all__ = ["from_datalab", "to_datalab"]

_UNIT = ("label_quality", "confidence", "correctness")
"""Scores in [0, 1] that are low where a label looks wrong: as Datalab wants them."""


def to_datalab(
    table: ScoreTable,
    lab: Any,
    *,
    id_column: str | None = None,
    by_row: bool = False,
    check_labels: bool = True,
    by: str | None = None,
    hard_is: HardEnd | None = None,
    count: int | None = None,
    issue: str = "label",
) -> int:
    """Put the suspects of a table among the issues of a Datalab.

    Parameters
    ----------
    table
        The scores of all examples of the Datalab.
    lab
        A `cleanlab.Datalab` of a classification, with labels.
    id_column
        The column of ``lab.data`` that holds the ids of the table: what is in its ``key``, else ``id``, else
        a column of another usual name (``guid``, ``idx``, the index that pandas writes, …).
    by_row
        Row i of the table is row i of the data instead; lengths and labels must agree.
    check_labels
        False joins a table without labels by row, though nothing tells whether its rows are those of the data.
    by
        Column to suspect by; if not given the one of `ScoreTable.wrong_labels`: the latest AUM, else as there.
    hard_is
        Which end of it is hard, as for `ScoreTable.top`.
    count
        How many of the likeliest suspects are flagged; as many as `ScoreTable.wrong_labels` says if not given.
    issue
        Name of the issue. ``"label"`` is cleanlab's own, in the place of which it is; any other is registered with
        Datalab, and has no given and predicted labels. ``lab.get_issues("label")`` shows all issues that have the word in their name:
        ``"training_dynamics"`` is a good one beside cleanlab's.

    Returns
    -------
    How many examples are flagged. The score of an example is its place in the order of suspicion divided by n, 0 for the
    likeliest; of label_quality, confidence and correctness it is the value itself. Examples without a score get 1.

    Raises
    ------
    TableError
        How many labels are wrong cannot be told, and no `count`; the Datalab has this issue already, or no labels,
        or is of another task.
    LabelError
        Labels that differ: they name the first example.
    IdError, ShapeError, ColumnError
        Rows that cannot be joined; no such column; for ``"label"`` no predicted classes.

    Examples
    --------
    >>> from cleanlab import Datalab
    >>> import datadiet, datadiet.datalab
    >>> lab = Datalab({"id": [7, 8, 9], "label": ["cat", "dog", "dog"]}, label_name="label", verbosity=0)
    >>> table = datadiet.ScoreTable.from_columns({"id": [7, 8, 9], "label": [0, 1, 1], "class": ["cat", "dog", "dog"],
    ...     "aum@4": [2.0, 3.0, -4.0], "predicted@4": [0, 1, 0]})
    >>> datadiet.datalab.to_datalab(table, lab, id_column="id", count=1)
    1
    >>> issues = lab.get_issues("label")
    >>> issues.loc[issues["is_label_issue"], ["given_label", "predicted_label"]].values.tolist()
    [['dog', 'cat']]
    """
    needed("cleanlab", "cleanlab")
    if str(lab.task) != "classification" or not lab.has_labels:
        raise TableError("pass a Datalab of a classification that has labels (label_name=…)")
    if f"is_{issue}_issue" in lab.data_issues.issues.columns:
        raise TableError(
            f'the Datalab has {issue} issues already, which would be lost; pass issue="training_dynamics" or another'
            " name, or a new Datalab"
        )
    given = np.asarray(lab.labels)
    to_lab = _classes_of(table, lab)
    if whether_by_row(id_column, by_row, "id_column"):
        how = "name a column of ids (id_column=…)"
        # Labels of the table are compared below, whichever way rows were joined.
        check = check_labels and to_lab is None
        rows = rows_by_number(table, len(given), given.tolist(), how, check_labels=check)
    else:
        assert id_column is not None
        if id_column not in lab.data.column_names:
            raise ColumnError(
                f"the data has no column {id_column}; it has {', '.join(lab.data.column_names)}"
            )
        rows = rows_by_id(table, lab.data.with_format(None)[id_column][:], id_column)
    if to_lab is not None:
        _check_labels(np.array([to_lab[int(one)] for one in table["label"][rows]]), given)
    name, flagged, scores = _suspicion(table, by, hard_is, count)
    predicted = None
    if issue == "label":
        column = table._table.predictions_of(name)
        if column is None or to_lab is None:
            raise ColumnError(
                "the table does not say which class is predicted (a column predicted@…) of which labels (label), which"
                ' cleanlab\'s label issues have; pass issue="training_dynamics"'
            )
        unknown = set(table[column][rows].tolist()) - set(to_lab)
        if unknown:
            raise LabelError(
                f"predicted class {min(unknown)} has no example, so that its name is not known"
            )
        predicted = [to_lab[int(one)] for one in table[column][rows]]
    _collect(lab, issue, flagged[rows], scores[rows], given, predicted)
    return int(flagged[rows].sum())


def from_datalab(lab: Any, *, id_column: str | None = None, by_row: bool = False) -> ScoreTable:
    """The label issues of a Datalab as a table, for `ScoreTable.top`, ``datadiet suspects`` and ``datadiet explore``.

    Parameters
    ----------
    lab
        A `cleanlab.Datalab` whose label issues were found.
    id_column
        The column of ``lab.data`` that holds the ids of the examples.
    by_row
        An id is the number of a row instead.

    Returns
    -------
    A table in the order of the data: ``id`` (and ``key``), ``label`` and ``class``, ``label_quality`` (cleanlab's score, in
    [0, 1], low where the label looks wrong), ``predicted@0``, ``is_label_issue`` (1 where cleanlab flags it).

    Raises
    ------
    TableError
        No label issues were found yet, or it is no classification.
    IdError, ColumnError
        No ids; no such column.
    """
    from datadiet._datasets_files import _id_columns

    if str(lab.task) != "classification":
        raise TableError(f"a Datalab of a {lab.task}: label issues of a classification are read")
    if "is_label_issue" not in lab.data_issues.issues.columns:
        raise TableError("the Datalab has no label issues: call its find_issues first")
    found: dict[str, Any] = {}
    if whether_by_row(id_column, by_row, "id_column"):
        found["id"] = np.arange(len(lab.data))
    else:
        if id_column not in lab.data.column_names:
            raise ColumnError(
                f"the data has no column {id_column}; it has {', '.join(lab.data.column_names)}"
            )
        found |= _id_columns(lab.data.with_format(None)[id_column][:])
    issues = lab.data_issues.issues
    names = lab._label_map
    found["label"] = np.asarray(lab.labels)
    found["class"] = [str(names[int(one)]) for one in lab.labels]
    found["label_quality"] = issues["label_score"].to_numpy()
    predicted = lab.data_issues.info.get("label", {}).get("predicted_label")
    if predicted is not None:
        found["predicted@0"] = np.asarray(predicted)
    found["is_label_issue"] = issues["is_label_issue"].to_numpy().astype(np.uint32)
    return ScoreTable.from_columns(found)


def _classes_of(table: ScoreTable, lab: Any) -> dict[int, int] | None:
    """The Datalab's number of each class of the table, by name; None for a table without labels.

    A Datalab numbers classes in the order of their names as texts, in which 10 is before 2.
    """
    names = class_names(table)
    if not names:
        return None
    of_name = {str(name): number for number, name in lab._label_map.items()}
    missing = [name for name in names.values() if name not in of_name]
    if missing:
        raise LabelError(
            f"the table has a class {missing[0]!r}, which is no label of the Datalab ({', '.join(list(of_name)[:10])});"
            " its classes must be called the same: a column class of the table names them"
        )
    return {number: of_name[name] for number, name in names.items()}


def _check_labels(ours: npt.NDArray[Any], given: npt.NDArray[Any]) -> None:
    differ = np.flatnonzero(ours != given)
    if len(differ):
        raise LabelError(
            f"{len(differ)} of {len(given)} labels of the Datalab are not those of the table, the first in row"
            f" {differ[0]}: rows are joined wrongly, or labels were changed since they were scored",
            row=int(differ[0]),
        )


def _suspicion(
    table: ScoreTable, by: str | None, hard_is: HardEnd | None, count: int | None
) -> tuple[str, npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """The column; which rows of the table are suspects; a score of each row in [0, 1], low where it is suspicious."""
    by = table._table.default_suspicion() if by is None else by
    name, values, high = table._ranking(by, hard_is)
    if count is None:
        found = table.wrong_labels(by, hard_is=hard_is)
        if found.suspects is None:
            raise TableError(
                f"how many labels look wrong cannot be told ({found.cannot_tell}); pass count, such as count=100"
            )
        count = found.suspects
    order = table._table.hardest_first(name, hard_is)
    flagged = np.zeros(len(table), np.bool_)
    flagged[order[:count]] = True
    scores = np.ones(len(table))
    if name.split("@")[0] in _UNIT and not high:
        known = ~np.isnan(values)
        scores[known] = np.clip(values[known], 0, 1)
    else:
        scores[order] = np.arange(len(order)) / max(len(table), 1)
    return name, flagged, scores


def _collect(
    lab: Any,
    issue: str,
    flagged: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float64],
    given: npt.NDArray[Any],
    predicted: list[int] | None,
) -> None:
    """Gives the issues to the Datalab, by a manager as it has for each kind."""
    import pandas
    from cleanlab import IssueManager
    from cleanlab.datalab.internal.issue_manager_factory import REGISTRY, register

    class Manager(IssueManager):  # type: ignore[misc]
        description = (
            "Examples whose label looks wrong by how a training went, as datadiet scored it."
        )
        issue_name = issue

        def find_issues(self, **_: Any) -> None:
            raise NotImplementedError("datadiet.datalab.to_datalab finds these")

    if issue not in REGISTRY[lab.task]:
        register(Manager, task=str(lab.task))
    manager = Manager(lab)
    manager.issues = pandas.DataFrame({f"is_{issue}_issue": flagged, f"{issue}_score": scores})
    manager.summary = Manager.make_summary(float(1 - flagged.mean()) if len(flagged) else 1.0)
    manager.info = {f"num_{issue}_issues": int(flagged.sum()), "found_by": "datadiet"}
    if predicted is not None:
        manager.info |= {"given_label": given.tolist(), "predicted_label": predicted}
    lab.data_issues.collect_issues_from_issue_manager(manager)
