"""Scores of tokens: language models, and token classification such as of names in texts.

A token with a label has a loss −ln p_y in nats, an EL2N ‖p − y‖₂, p = softmax(logits), and is predicted
correctly or not. An example has the mean and the sum of the losses of its labelled tokens, their perplexity
(exp of the mean), mean EL2N, accuracy and number (``length``), beside which every other score should be
looked at: long texts have large sums for nothing, and short ones extreme means by chance.

Logits (B × T × V, of float16, bfloat16, float32 or float64) are read where they are, each once, and only
those of labelled tokens; no softmax is ever made. Tensors on a GPU are copied to the CPU whole: take
``log_probs`` there, which are B × T.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet
from datadiet._arrays import (
    SOFTMAX_ROWS,
    Column,
    Floats,
    Wholes,
    check_same_rows,
    floats,
    plain,
    softmax_error,
    softmax_rows,
    wholes,
)
from datadiet._datadiet import RECORDED_PASS
from datadiet._ids import whole_ids
from datadiet._loss_recording import options, reference_losses
from datadiet._recording import check_examples
from datadiet._task_recorder import TaskRecorder
from datadiet.exceptions import DtypeError, IdError, LabelError, ShapeError, StateError
from datadiet.table import ScoreTable

__all__ = ["TokenRecorder", "TokenScores", "token_scores", "token_segments"]

IGNORED = -100
"""The label that marks a token without one, as PyTorch's ``cross_entropy`` has it."""

_NO_EXAMPLE = 2**32 - 1


@dataclass(frozen=True)
class TokenScores:
    """What `token_scores` gives: by example, and by token."""

    ids: npt.NDArray[np.int64]
    """The examples: rows of the batch, or the numbers of the segments, ascending."""

    examples: dict[str, Column]
    """By name, one number an example in the order of `ids`: ``loss``, ``loss-sum``, ``perplexity``, ``el2n``,
    ``token-accuracy``, ``length``. NaN, and length 0, where an example has no labelled token."""

    tokens: dict[str, npt.NDArray[Any]]
    """By name, B × T at the places of the labels: ``loss``, ``el2n``, ``correct`` (1 or 0), NaN where there is no
    label; where it was asked for ``predicted``, −1 there."""


def token_scores(
    logits: Floats | None = None,
    labels: Wholes | None = None,
    *,
    shift: bool | None = None,
    log_probs: Floats | None = None,
    ignore_index: int = IGNORED,
    attention_mask: Wholes | None = None,
    segments: Wholes | None = None,
    predicted: bool = False,
) -> TokenScores:
    """Scores of sequences and of their tokens.

    Parameters
    ----------
    logits
        B × T × V floats, or
    labels
        B × T classes in 0..V, or `ignore_index` where a token has none.
    shift
        Which label the logits at t are of, which nothing in the numbers tells. True: that at t + 1, as of a
        causal language model whose ``labels`` are its ``input_ids`` (Hugging Face shifts within its loss).
        False: that at t, as in token classification, masked language modelling, or where you have shifted
        yourself.
    log_probs
        B × T log-probabilities of the labels, instead of logits: with ``shift`` that at t is of the label at
        t + 1. There is then no EL2N and no accuracy.
    ignore_index
        The label that is none.
    attention_mask
        B × T, 0 where the logits at t are of padding: the label that they are of does not count, at t + 1 with
        ``shift``. Give it where texts are padded on the left, whose first token padding would predict.
    segments
        For packed sequences: B × T numbers from 0 that say which example a token is of, negative for
        padding. The same number is the same example, in another row too, where its positions are counted on.
        With ``shift`` the first token of an example, and of each part of it, has no logits, since those before
        it are of another. `token_segments` makes them of position ids.
    predicted
        Also give the predicted classes, which takes longer of many classes.

    Returns
    -------
    `TokenScores`. Higher is harder, but for ``token-accuracy`` and ``correct``.

    Raises
    ------
    LabelError
        A label that is neither a class nor ignored; no labelled token in all of the batch.
    NonFiniteError, ProbabilityError
        NaN or infinity where a token has a label; numbers that are not log-probabilities, or the outputs of
        a softmax given as logits.
    ShapeError, DtypeError, TypeError
        Shapes that do not fit; values that are not numbers; `shift` not said.

    Examples
    --------
    >>> import datadiet
    >>> logits = [[[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]]
    >>> scores = datadiet.token_scores(logits, labels=[[0, 0, -100]], shift=False)
    >>> scores.examples["loss"].round(3), scores.examples["length"]
    (array([0.72], dtype=float32), array([2.], dtype=float32))
    >>> scores.tokens["correct"]
    array([[ 1.,  0., nan]], dtype=float32)
    >>> datadiet.token_scores(logits, labels=[[1, 0, 1]], shift=True).tokens["loss"].round(3)
    array([[  nan, 0.127, 0.313]], dtype=float32)
    """
    batch = _Batch.of(logits, labels, log_probs, shift, ignore_index, attention_mask)
    examples = None if segments is None else _segmented(segments, batch.labels.shape)
    ids, rows = (np.arange(len(batch.labels)), None) if examples is None else examples
    layout = {
        "ignore": batch.ignore,
        "shift": batch.shift,
        "examples": len(ids),
        "predicted": bool(predicted),
    }
    tokens, found = _datadiet.token_scores(batch.outputs, batch.labels, rows, layout)
    places = tokens.pop("place")
    if batch.labels.size and not places.size:
        raise LabelError(
            f"no token has a label: all are {batch.ignore}, or (with shift=True) stand where no logits are;"
            " look at ignore_index, shift, attention_mask and segments"
        )
    del tokens["example"], tokens["label"]
    spread: dict[str, npt.NDArray[Any]] = {}
    for name, values in tokens.items():
        if name == "predicted":
            values = values.astype(np.int64)
        empty = -1 if values.dtype.kind == "i" else np.nan
        spread[name] = np.full(batch.labels.shape, empty, values.dtype)
        spread[name].reshape(-1)[places] = values
    return TokenScores(np.asarray(ids, dtype=np.int64), found, spread)


def token_segments(position_ids: Wholes, attention_mask: Wholes | None = None) -> npt.NDArray[Any]:
    """Which example each token of packed sequences is of: a new one wherever the position is 0.

    Parameters
    ----------
    position_ids
        B × T positions, as of ``DataCollatorWithFlattening`` or of TRL's packing: 0, 1, 2, 0, 1, …
    attention_mask
        B × T, 0 where a token is padding. Needed where rows are padded: collators give padding the position 0
        too, as if each padding token began an example.

    Returns
    -------
    B × T numbers 0, 1, 2, … over the batch, in order; −1 of padding, and of tokens before the first 0 of a
    row, whose example begins elsewhere. With the ids of the batch's examples, in that order, the ids of its tokens are
    ``np.where(segments < 0, -1, np.asarray(ids)[segments])``: ``ids[-1]`` alone would be the last example.

    Raises
    ------
    ShapeError, DtypeError
        Arrays that are not B × T; values that are not whole numbers; several positions 0 at the end of a row
        without `attention_mask`, which are most likely padding; positions of which none is 0.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.token_segments([[0, 1, 2, 0, 1], [0, 1, 0, 0, 0]], [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    array([[ 0,  0,  0,  1,  1],
           [ 2,  2,  3, -1, -1]])
    """
    positions = _matrix_of_wholes(position_ids, "position_ids")
    there = np.ones(positions.shape, np.bool_)
    if attention_mask is not None:
        there = plain(attention_mask, "attention_mask") != 0
        if there.shape != positions.shape:
            raise ShapeError(
                f"attention_mask of shape {list(there.shape)}, position_ids of {list(positions.shape)};"
                " pass one for each token"
            )
    elif positions.shape[1] > 1 and (positions[:, -2:] == 0).all(axis=1).any():
        row = int(np.flatnonzero((positions[:, -2:] == 0).all(axis=1))[0])
        raise ShapeError(
            f"row {row} of position_ids ends in several 0, as padding has them; pass the attention_mask (all ones"
            " if they are examples of one token each)"
        )
    starts = (positions == 0) & there
    if there.any() and not starts.any():
        least = int(positions[there].min())
        raise ShapeError(
            f"the least of position_ids is {least}, so that no example begins; pass positions from 0 (those of"
            " RoBERTa and OPT start higher: subtract their first)"
        )
    segments = np.cumsum(starts.reshape(-1)).reshape(positions.shape) - 1
    begun = np.logical_or.accumulate(starts, axis=1)
    segments[~(there & begun)] = -1
    return segments


@dataclass(frozen=True)
class _Batch:
    """Arrays that fit each other."""

    outputs: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]
    shift: bool
    ignore: int

    @classmethod
    def of(
        cls, logits: Any, labels: Any, log_probs: Any, shift: Any, ignore: int, mask: Any
    ) -> _Batch:
        if (logits is None) == (log_probs is None):
            raise TypeError("pass either logits or log_probs")
        if labels is None:
            raise TypeError("pass labels: B × T, one for each token")
        if shift is None:
            raise TypeError(
                "say which label the logits at t are of: shift=True for that at t + 1 (a causal language"
                " model whose labels are its input_ids), shift=False for that at t (token classification,"
                " masked language modelling, or if you have shifted them yourself)"
            )
        what = "logits" if log_probs is None else "log_probs"
        outputs = floats(logits if log_probs is None else log_probs)
        targets = _matrix_of_wholes(labels, "labels")
        axes = 3 if log_probs is None else 2
        if outputs.ndim != axes:
            asked = "B × T × V" if axes == 3 else "B × T, one for each label"
            raise ShapeError(f"{what} of shape {list(outputs.shape)}; pass {asked}")
        if outputs.shape[:2] != targets.shape:
            less = outputs.shape[:2] == (targets.shape[0], targets.shape[1] - 1)
            hint = (
                "; if you have shifted them yourself, pass labels[:, 1:] and shift=False"
                if less
                else ""
            )
            raise ShapeError(
                f"{what} of shape {list(outputs.shape)}, labels of shape {list(targets.shape)}; pass one label"
                f" for each token{hint}"
            )
        if mask is not None:
            targets = _predicted_by_text(targets, mask, bool(shift), ignore)
        if axes == 3:
            _check_logits(outputs, targets, bool(shift), ignore)
        return cls(outputs, targets, bool(shift), int(ignore))


def _predicted_by_text(
    labels: npt.NDArray[np.int64], attention_mask: Any, shift: bool, ignore: int
) -> npt.NDArray[np.int64]:
    """The labels without those that a masked position predicts; `datadiet.torch.padding` is the same of tensors."""
    there = plain(attention_mask, "attention_mask") != 0
    if there.shape != labels.shape:
        raise ShapeError(
            f"attention_mask of shape {list(there.shape)}, labels of shape {list(labels.shape)}; pass B × T, one for"
            " each token"
        )
    if shift:
        there = np.concatenate([np.ones_like(there[:, :1]), there[:, :-1]], axis=1)
    return np.where(there, labels, np.int64(ignore))


def _check_logits(
    logits: npt.NDArray[Any], labels: npt.NDArray[np.int64], shift: bool, ignore: int
) -> None:
    """Refuses the outputs of a softmax, by a few rows: of many classes each costs a reading."""
    rows = np.flatnonzero(labels[:, 1:] != ignore if shift else labels != ignore)
    if len(rows) < SOFTMAX_ROWS:
        return
    wide = labels.shape[1] - 1 if shift else labels.shape[1]
    spread = rows[np.linspace(0, len(rows) - 1, SOFTMAX_ROWS).astype(int)]
    sample = np.ascontiguousarray(logits[spread // wide, spread % wide])
    if softmax_rows(sample) >= SOFTMAX_ROWS:
        raise softmax_error("pass the logits, or of the labels' log-probabilities log_probs=…")


def _matrix_of_wholes(values: Any, what: str) -> npt.NDArray[np.int64]:
    array = wholes(values, what)
    if array.ndim != 2:
        raise ShapeError(f"{what} of shape {list(array.shape)}; pass B × T")
    if array.dtype.kind not in "iu":
        raise DtypeError(f"{what}: {array.dtype.name} values; pass whole numbers, such as int64")
    if array.dtype.kind == "u" and array.size and int(array.max()) >= 2**63:
        raise DtypeError(f"{what}: {int(array.max())} is beyond 2⁶³; pass int64")
    return np.ascontiguousarray(array, dtype=np.int64)


def _segmented(
    segments: Any, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """The examples, ascending, and which of them each token is of."""
    numbers = _matrix_of_wholes(segments, "segments")
    if numbers.shape != shape:
        raise ShapeError(
            f"segments of shape {list(numbers.shape)}, labels of shape {list(shape)}; pass one for each token"
        )
    flat = numbers.reshape(-1)
    # Examples are runs of tokens: of these there are few.
    starts = np.flatnonzero(np.diff(flat, prepend=flat[:1] - 1))
    ids, which = np.unique(flat[starts], return_inverse=True)
    padding = int(np.searchsorted(ids, 0))
    places = np.where(which < padding, _NO_EXAMPLE, which - padding).astype(np.uint32)
    lengths = np.diff(starts, append=flat.size)
    return ids[padding:], np.repeat(places, lengths).reshape(shape)


class TokenRecorder(TaskRecorder):
    """Records the tokens of one training, and makes a table of scores of its examples.

    Call `update` with every batch and `end_epoch` after every epoch. Then `table` has, at the last epoch and at
    the epochs of `keep_at`: ``loss`` (the mean over labelled tokens, in nats), ``loss-sum``, ``perplexity``,
    ``el2n``, ``token-accuracy``, ``length``; and over all epochs the scores of a `LossRecorder`:
    ``mean-loss``, ``loss-std``, ``loss-drop``, ``loss-forgetting`` and, with a `threshold`, ``learned-at``. With
    ``keep_tokens``, `tokens` has the tokens themselves.

    Ids, threads, checkpoints, ranks and replicas are as of `Recorder`.

    Parameters
    ----------
    n_examples
        Size of the **full** training set, below 2³² − 1; ids are 0..n_examples − 1.
    keep_at
        Epochs, counted from 1, whose scores of one forward pass are kept beside the last one's.
    keep_tokens
        Examples whose tokens are kept, as ids, or True for all: about 48 bytes a token. They and their labels must
        be the same in every epoch, on the same positions.
    mergeable
        Keep what `merge_ranks` needs: the losses, 4 bytes an example and epoch.
    threshold
        Loss in nats a token down to which an example counts as learned.
    reference
        n losses of a reference model, or the table of its recorder, for ``excess-loss``.
    pass_
        Which pass of the network gives the logits, for the record.

    Examples
    --------
    >>> import datadiet
    >>> recorder = datadiet.TokenRecorder(2, keep_tokens=True)
    >>> recorder.update(ids=[1], logits=[[[2.0, 0.0], [0.0, 1.0]]], labels=[[0, 0]], shift=False)
    >>> recorder.end_epoch()
    >>> recorder.table()["loss@1"].round(3)
    array([ nan, 0.72], dtype=float32)
    >>> recorder.tokens().top(1, by="mean-loss@1")["key"]
    ['1:1']
    """

    __slots__ = ()

    _compiled = _datadiet.TokenRecorder

    def __init__(
        self,
        n_examples: int,
        *,
        keep_at: Iterable[int] = (),
        keep_tokens: Wholes | bool = False,
        mergeable: bool = True,
        threshold: float | None = None,
        reference: Floats | ScoreTable | None = None,
        pass_: str = RECORDED_PASS,
    ) -> None:
        check_examples(n_examples)
        chosen = options(keep_at, mergeable, threshold)
        some = None
        if not isinstance(keep_tokens, bool):
            some = [int(one) for one in whole_ids(keep_tokens)]
            for one in some:
                if not 0 <= one < n_examples:
                    raise IdError(f"keep_tokens has {one}; ids are 0..{n_examples - 1}", id=one)
        losses = reference_losses(reference)
        recorder = _datadiet.TokenRecorder(n_examples, some, keep_tokens is True, chosen, losses)
        self._begin(recorder, pass_)

    def update(
        self,
        ids: Wholes,
        logits: Floats | None = None,
        labels: Wholes | None = None,
        *,
        shift: bool | None = None,
        log_probs: Floats | None = None,
        ignore_index: int = IGNORED,
        attention_mask: Wholes | None = None,
        unlabelled: Literal["refuse", "skip"] = "refuse",
    ) -> None:
        """Record a batch of the current epoch; all of it or, on an error, nothing.

        Parameters
        ----------
        ids
            B ids; or, of packed sequences, B × T: the example that each token is of, −1 of padding.
        logits, labels, shift, log_probs, ignore_index, attention_mask
            As of `token_scores`.
        unlabelled
            An example without a labelled token (all ignored, say, because its answer was cut off) is refused with
            its id, or skipped: then it counts as missed in this epoch.

        Raises
        ------
        IdError
            An id out of range, or recorded before in this epoch (call `end_epoch` after each).
        LabelError
            A label that is neither a class nor ignored; an example without labels; a kept token whose label changed.
        NonFiniteError, ProbabilityError
            As of `token_scores`, with the ids in ``ids``.
        ShapeError, DtypeError, TypeError, StateError
            As of `token_scores`; logits where log-probabilities were before, or the other way round.
        """
        if unlabelled not in ("refuse", "skip"):
            raise ValueError(f'unlabelled is {unlabelled!r}; "refuse" and "skip" are known')
        check_same_rows(
            ids=ids,
            logits=logits,
            labels=labels,
            log_probs=log_probs,
            attention_mask=attention_mask,
        )
        batch = _Batch.of(logits, labels, log_probs, shift, ignore_index, attention_mask)
        own = wholes(ids, "ids")
        rows = None
        if own.ndim == 2:
            own, rows = _segmented(own, batch.labels.shape)
        skip = unlabelled == "skip"
        self._recorder.update(
            own, batch.outputs, batch.labels, rows, batch.ignore, batch.shift, skip
        )

    def tokens(
        self,
        texts: Sequence[Sequence[str]] | None = None,
        classes: Sequence[str] | None = None,
    ) -> ScoreTable:
        """The kept tokens as a table, one row a token: which of them look wrong.

        Columns: ``key`` (``"example:position"``), ``example``, ``position``, ``label``, ``class`` and ``token``
        where `classes` and `texts` are given, ``predicted@E`` of the last presentation, and the scores
        ``mean-loss@E`` (over the presentations so far), ``loss@E`` and ``el2n@E``, NaN of tokens that epoch E
        missed. ``datadiet suspects`` reads it.

        Parameters
        ----------
        texts
            The tokens of each of the n examples, by position: lists, not texts in one piece.
        classes
            Names of the V labels.

        Raises
        ------
        StateError, IdError, LabelError, DtypeError
            No token was kept; texts or classes that lack one; a text that is not taken apart.
        """
        found = self._recorder.tokens()
        if not len(found["example"]):
            raise StateError(
                "no token was kept: make the recorder with keep_tokens=True (or ids), and end an epoch"
            )
        names = None if classes is None else _named(found["label"], classes)
        words = None if texts is None else _texts_of(found["example"], found["position"], texts)
        return ScoreTable(self._recorder.token_table(names, words, self._pass))


def _named(labels: npt.NDArray[Any], classes: Sequence[str]) -> list[str]:
    names = list(classes)
    most = int(labels.max(initial=0))
    if most >= len(names):
        raise LabelError(f"there is a label {most}, and classes has {len(names)} names; pass all")
    return [names[label] for label in labels]


def _texts_of(
    examples: npt.NDArray[Any], positions: npt.NDArray[Any], texts: Sequence[Sequence[str]]
) -> list[str]:
    whole = isinstance(texts, (str, bytes))
    for example in () if whole else np.unique(examples).tolist():
        whole = whole or (example < len(texts) and isinstance(texts[example], (str, bytes)))
    if whole:
        raise DtypeError(
            "texts are texts in one piece, of which characters are no tokens; pass a list of the tokens of every"
            " example as the network saw them: [tokenizer.convert_ids_to_tokens(row) for row in input_ids], or"
            " list(text) where its characters are the tokens"
        )
    found = []
    for example, position in zip(examples.tolist(), positions.tolist(), strict=True):
        if example >= len(texts) or position >= len(texts[example]):
            raise IdError(
                f"texts has no token {position} of example {example}; pass the tokens of every example as the"
                " network saw them, special ones too",
                id=example,
            )
        found.append(str(texts[example][position]))
    return found
