"""How a `Record` becomes what MLflow, W&B and TensorBoard have: one class each, through their own clients."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Protocol

from datadiet.exceptions import TrackerError
from datadiet.tracking.record import Histogram, Record

__all__ = ["Backend", "MLflow", "TensorBoard", "Wandb", "of_run"]

_MOST_VALUES = 500
"""Values in a request to MLflow, which takes 1000 metrics and 100 parameters or tags."""
_MOST_PARAMS = 100
_TAG = 5000
"""Most characters of a tag; MLflow cuts longer ones, some versions at 5000."""
_BULKY = ("ingested", "specification", "experiment", "template", "spec", "failed", "runs")
"""Entries of a card that are left out of a tag, one after the other, where it is too long."""


class Backend(Protocol):
    """A run of a tracker."""

    prefix: str

    def digest(self) -> str | None:
        """Of what was logged to the run under the prefix; None of nothing."""

    def write(self, record: Record, digest: str) -> None:
        """Logs all of it, the digest last."""


def of_run(run: Any, prefix: str) -> Backend:
    """The run that a user passes.

    Raises
    ------
    TrackerError
        It is none of the three.
    """
    made_by = {base.__module__.partition(".")[0] for base in type(run).__mro__}
    if "mlflow" in made_by and hasattr(getattr(run, "info", None), "run_id"):
        return MLflow(run.info.run_id, prefix)
    if "wandb" in made_by and hasattr(run, "log_artifact"):
        return Wandb(run, prefix)
    if hasattr(run, "add_scalar") and hasattr(run, "add_histogram_raw"):
        return TensorBoard(run, prefix)
    raise TrackerError(
        f"{type(run).__module__}.{type(run).__name__} is no run: pass what mlflow.start_run() or wandb.init() gave,"
        " or a SummaryWriter"
    )


class MLflow:
    """A run of MLflow, by its client: it need not be the active one.

    Curves are metrics by step, numbers metrics at step 0, the card a tag and an artifact. There are no histograms.
    """

    def __init__(self, run_id: str, prefix: str) -> None:
        import mlflow

        self.prefix = prefix
        self._id = run_id
        self._client = mlflow.MlflowClient()
        self._refused = mlflow.exceptions.MlflowException
        self._entities = mlflow.entities

    def digest(self) -> str | None:
        try:
            tags = self._client.get_run(self._id).data.tags
        except self._refused as error:
            raise TrackerError(f"MLflow does not have the run {self._id}: {error}") from error
        digest: str | None = tags.get(f"{self.prefix}.digest")
        return digest

    def write(self, record: Record, digest: str) -> None:
        make, now = self._entities, int(time.time() * 1000)
        name = f"{self.prefix}/{{}}".format
        points = [(name(key), value, 0) for key, value in record.numbers.items()]
        for key, by_step in record.curves.items():
            points += [(name(key), value, step) for step, value in sorted(by_step.items())]
        metrics = [make.Metric(key, value, now, step) for key, value, step in points]
        params = [make.Param(name(key), str(value)) for key, value in record.params.items()]
        texts = {**record.tags, **_card_as_tags(record.card)}
        if record.names:
            names = json.dumps(record.names, ensure_ascii=False)
            texts["names"] = names if len(names) <= _TAG else "names.json"
        tags = [make.RunTag(f"{self.prefix}.{key}", text[:_TAG]) for key, text in texts.items()]
        try:
            # Parameters first: MLflow refuses other values than it has, and then nothing is logged.
            for at in range(0, len(params), _MOST_PARAMS):
                self._client.log_batch(self._id, params=params[at : at + _MOST_PARAMS])
            for at in range(0, len(metrics), _MOST_VALUES):
                self._client.log_batch(self._id, metrics=metrics[at : at + _MOST_VALUES])
            for file in record.files:
                self._client.log_artifact(self._id, str(file), self.prefix)
            last = make.RunTag(f"{self.prefix}.digest", digest)
            self._client.log_batch(self._id, tags=[*tags, last])
        except self._refused as error:
            raise TrackerError(f"MLflow refuses it: {error}") from error


class Wandb:
    """A run of Weights & Biases. It stays open.

    Curves are rows of its history with the step as their x-axis, numbers are in its summary, parameters, tags and the
    card in its config, files in an artifact.
    """

    def __init__(self, run: Any, prefix: str) -> None:
        self.prefix = prefix
        self._run = run

    def digest(self) -> str | None:
        known = self._run.config.get(self._key("digest"))
        return None if known is None else str(known)

    def write(self, record: Record, digest: str) -> None:
        import wandb

        run, key = self._run, self._key
        run.config.update({key(name): value for name, value in record.params.items()})
        about = {**record.tags, "card": _brief(record.card), "names": record.names}
        run.config.update({key(name): value for name, value in about.items() if value})
        step = key("step")
        run.define_metric(step, hidden=True)
        curves = sorted({*record.curves, *record.histograms})
        for name in curves:
            run.define_metric(key(name), step_metric=step)
        for at in record.steps():
            row: dict[str, Any] = {step: at}
            for name, values in record.curves.items():
                if at in values:
                    row[key(name)] = values[at]
            for name, histograms in record.histograms.items():
                if at in histograms:
                    one = histograms[at]
                    bins = (one.counts.tolist(), one.edges.tolist())
                    row[key(name)] = wandb.Histogram(np_histogram=bins)
            run.log(row)
        run.summary.update({key(name): value for name, value in record.numbers.items()})
        artifact = wandb.Artifact(f"{self.prefix.replace('/', '-')}-{run.id}", type="datadiet")
        for file in record.files:
            artifact.add_file(str(file), name=file.name)
        run.log_artifact(artifact)
        for file in record.files:
            if file.suffix == ".html":
                run.log({key("report"): wandb.Html(str(file))})
        run.config.update({key("digest"): digest})

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}"


class TensorBoard:
    """A SummaryWriter, or `Events`. It stays open.

    Curves are scalars by step, numbers scalars at step 0, parameters and the card texts. It has no artifacts: files
    are put beside its events, into a folder that is called as the prefix.
    """

    def __init__(self, writer: Any, prefix: str) -> None:
        self.prefix = prefix
        self._writer = writer
        folder = getattr(writer, "log_dir", None) or getattr(writer, "logdir", None)
        if not folder:
            raise TrackerError(f"{type(writer).__name__} does not say where it writes (log_dir)")
        self._folder = Path(folder) / prefix

    def digest(self) -> str | None:
        file = self._folder / "digest"
        return file.read_text(encoding="utf-8").strip() if file.is_file() else None

    def write(self, record: Record, digest: str) -> None:
        writer, key = self._writer, f"{self.prefix}/{{}}".format
        for name, value in record.numbers.items():
            writer.add_scalar(key(name), value, 0)
        for name, by_step in record.curves.items():
            for step, value in sorted(by_step.items()):
                writer.add_scalar(key(name), value, step)
        for name, histograms in record.histograms.items():
            for step, one in sorted(histograms.items()):
                self._histogram(key(name), one, step)
        writer.add_text(key("params"), _listed(record.params), 0)
        card = json.dumps(_brief(record.card), ensure_ascii=False, indent=1, default=str)
        writer.add_text(key("card"), f"    {card}".replace("\n", "\n    "), 0)
        writer.add_text(key("tags"), _listed(record.tags), 0)
        if record.names:
            writer.add_text(key("names"), _listed(record.names), 0)
        self._folder.mkdir(parents=True, exist_ok=True)
        for file in record.files:
            (self._folder / file.name).write_bytes(file.read_bytes())
        writer.flush()
        (self._folder / "digest").write_text(f"{digest}\n", encoding="utf-8")

    def _histogram(self, tag: str, one: Histogram, step: int) -> None:
        self._writer.add_histogram_raw(
            tag=tag,
            min=float(one.edges[0]),
            max=float(one.edges[-1]),
            num=int(one.counts.sum()),
            sum=one.total,
            sum_squares=one.squares,
            bucket_limits=one.edges[1:].tolist(),
            bucket_counts=one.counts.tolist(),
            global_step=step,
        )


def _brief(card: dict[str, Any]) -> dict[str, Any]:
    """A card without what is known of each column, which is in the curves and in card.json, and without what is null."""
    brief: dict[str, Any] = _known({key: value for key, value in card.items() if key != "columns"})
    return brief


def _known(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _known(one) for key, one in value.items() if one is not None}


def _card_as_tags(card: dict[str, Any]) -> dict[str, str]:
    """The card as a tag; of one that is too long what is bulky is in card.json alone, and another tag says so."""
    card, left = _brief(card), []
    text = json.dumps(card, ensure_ascii=False, default=str)
    for bulky in _BULKY:
        if len(text) > _TAG and card.pop(bulky, None) is not None:
            left.append(bulky)
            text = json.dumps(card, ensure_ascii=False, default=str)
    if not card and not left:
        return {}
    told = {"card": text if len(text) <= _TAG else "card.json"}
    return {**told, "card.without": " ".join(left)} if left else told


def _listed(values: dict[str, Any]) -> str:
    """A table of Markdown, which TensorBoard shows."""

    def cell(value: Any) -> str:
        return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")

    rows = (f"| {cell(name)} | {cell(value)} |" for name, value in values.items())
    return "\n".join(["| name | value |", "|---|---|", *rows])
