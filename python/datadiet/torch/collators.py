"""Ids that stay with their texts: through a collator that knows nothing of them, and through packing.

One id a row where a row of the batch is one example; one id a token where a row has several, −1 where a
token is of none (padding).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from datadiet.exceptions import DtypeError, ShapeError, StateError
from datadiet.torch.errors import BatchError

NO_EXAMPLE = -1
"""The id of a token that is of no example."""

_TOKENS = "input_ids"


def keep_ids(collator: Callable[[list[Any]], Any]) -> KeepIds:
    """A collator that keeps the ``"ids"`` of the examples beside what another one makes of them.

    Where it lays several examples into a row (packed rows of `pack`, TRL's ``padding_free``,
    transformers' ``DataCollatorWithFlattening``), each token has the id of its example::

        trainer.data_collator = keep_ids(trainer.data_collator)

    Raises
    ------
    BatchError
        When a batch is made: an example has no ``"ids"``, or the collator has laid its tokens in a way that
        cannot be followed.
    """
    return collator if isinstance(collator, KeepIds) else KeepIds(collator)


class KeepIds:
    """See `keep_ids`."""

    def __init__(self, collator: Callable[[list[Any]], Any]) -> None:
        self.collator = collator

    def __call__(self, examples: list[Any]) -> Any:
        for example in examples:
            if not isinstance(example, Mapping) or "ids" not in example:
                raise BatchError(
                    'an example has no "ids"; give the data set such a column:'
                    ' train.add_column("ids", range(len(train)))'
                )
        ids = [example["ids"] for example in examples]
        batch = self.collator(
            [{key: value for key, value in one.items() if key != "ids"} for one in examples]
        )
        batch["ids"] = _laid_out(ids, examples, batch)
        return batch


def _laid_out(ids: list[Any], examples: list[Any], batch: Any) -> torch.Tensor:
    each = [torch.as_tensor(one) for one in ids]
    tokens = batch.get(_TOKENS) if hasattr(batch, "get") else None
    if all(one.dim() == 0 for one in each) and (tokens is None or len(tokens) == len(each)):
        return torch.stack(each)
    if tokens is None:
        raise BatchError(f'the collator makes no "{_TOKENS}", so that ids of tokens have no place')
    lengths = [len(example[_TOKENS]) for example in examples]
    each = [
        one if one.dim() else one.expand(length) for one, length in zip(each, lengths, strict=True)
    ]
    if any(len(one) != length for one, length in zip(each, lengths, strict=True)):
        raise BatchError("an example has another number of ids than of tokens")
    if len(tokens) == 1 and len(each) > 1:
        each = [torch.cat(each)]
    laid = torch.full_like(tokens, NO_EXAMPLE, dtype=torch.int64)
    if len(each) != len(tokens) or any(len(one) > tokens.shape[1] for one in each):
        raise BatchError(
            f"the collator makes {tuple(tokens.shape)} tokens of examples of {lengths}; it must append"
            " padding or lay them one after the other"
        )
    for row, one in zip(laid, each, strict=True):
        row[: len(one)] = one
    # It padded on the left, or changed the tokens' order?
    given = torch.cat(
        [torch.as_tensor(example[_TOKENS], device=tokens.device) for example in examples]
    )
    if not torch.equal(tokens[laid != NO_EXAMPLE].to(given.dtype), given):
        raise BatchError(
            "the collator has moved or changed tokens, so that their examples cannot be told; one that"
            " masks tokens goes with rows of one example only"
        )
    return laid


def pack(dataset: Any, length: int, *, strategy: str = "bfd", labels: str | None = "labels") -> Any:
    """TRL's packing, with an id for each token, for ``SFTTrainer``.

    ``SFTTrainer`` packs by itself too, and forgets which example a token is of. Packed beforehand::

        train = pack(train.map(tokenise), 2048)          # columns input_ids and, if there are, labels
        args = SFTConfig(packing=True, max_length=2048, remove_unused_columns=False,
                         dataset_kwargs={"skip_prepare_dataset": True})
        trainer = SFTTrainer(model, args, train_dataset=train, processing_class=tokenizer,
                             callbacks=[TrainerRecorder(recorder)])
        trainer.data_collator = keep_ids(trainer.data_collator)

    Parameters
    ----------
    dataset
        A data set of Hugging Face with ``"input_ids"``, lists of token ids. Its ``"ids"`` are the
        examples' ids, or else the numbers of the rows. An end-of-text token at the end of each text, which
        ``SFTTrainer`` would add, must be there already.
    length
        Tokens a packed row has at most: ``max_length`` of ``SFTConfig``.
    strategy
        As ``packing_strategy`` of ``SFTConfig``: ``"bfd"`` cuts texts off at `length`; ``"bfd_split"``
        and ``"wrapped"`` lay the rest of a text into another row, and its tokens are counted together.
    labels
        The column of labels, lists as long as ``"input_ids"``, −100 where a token does not count;
        None, or a column that is not there: every token counts.

    Returns
    -------
    The packed data set, with the columns ``input_ids``, ``labels``, ``ids`` and, but for ``"wrapped"``,
    ``seq_lengths``.

    Raises
    ------
    DtypeError
        No data set of Hugging Face with rows and ``"input_ids"``.
    ShapeError
        Another number of labels than of tokens.
    StateError
        TRL is not installed.
    """
    try:
        from trl.data_utils import pack_dataset
    except ImportError as error:
        raise StateError("packing is TRL's: pip install trl") from error
    names: Sequence[str] = getattr(dataset, "column_names", None) or ()
    if _TOKENS not in names or not hasattr(dataset, "__len__"):
        raise DtypeError(
            f"pass a data set of Hugging Face with the column {_TOKENS!r}; this is"
            f" {type(dataset).__name__} with {list(names)}"
        )
    has_ids = "ids" in names
    own_labels = labels if labels in names else None

    def of_tokens(row: dict[str, Any], number: int) -> dict[str, Any]:
        tokens = row[_TOKENS]
        found = tokens if own_labels is None else row[own_labels]
        if len(found) != len(tokens):
            raise ShapeError(
                f"row {number} has {len(tokens)} tokens and {len(found)} labels; give one a token"
            )
        example = row["ids"] if has_ids else number
        return {_TOKENS: tokens, "labels": found, "ids": [example] * len(tokens)}

    columns = dataset.map(of_tokens, with_indices=True, remove_columns=list(names))
    return pack_dataset(columns, length, strategy)
