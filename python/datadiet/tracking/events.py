"""TensorBoard's event files without PyTorch: what `datadiet.tracking` needs of a ``SummaryWriter``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["Events"]


class Events:
    """Writes scalars, histograms and texts to a new file of events in a folder.

    The methods are those of ``torch.utils.tensorboard.SummaryWriter``.
    """

    def __init__(self, log_dir: Path) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.log_dir = str(log_dir)
        self._writer = EventFileWriter(self.log_dir)

    def add_scalar(self, tag: str, value: float, global_step: int) -> None:
        """A point of a curve."""
        self._add(tag, global_step, simple_value=value)

    def add_histogram_raw(
        self,
        tag: str,
        min: float,
        max: float,
        num: int,
        sum: float,
        sum_squares: float,
        bucket_limits: Sequence[float],
        bucket_counts: Sequence[int],
        global_step: int,
    ) -> None:
        """Counts of values up to each limit."""
        from tensorboard.compat.proto.summary_pb2 import HistogramProto

        histo = HistogramProto(
            min=min,
            max=max,
            num=num,
            sum=sum,
            sum_squares=sum_squares,
            bucket_limit=bucket_limits,
            bucket=bucket_counts,
        )
        self._add(tag, global_step, histo=histo)

    def add_text(self, tag: str, text: str, global_step: int) -> None:
        """A text in Markdown."""
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._write(text_pb(f"{tag}/text_summary", text), global_step)

    def flush(self) -> None:
        """What was added is in the file."""
        self._writer.flush()

    def close(self) -> None:
        """The same, and no more can be added."""
        self._writer.close()

    def _add(self, tag: str, step: int, **value: Any) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._write(Summary(value=[Summary.Value(tag=tag, **value)]), step)

    def _write(self, summary: Any, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
