"""What a study's trials tell, written to TensorBoard and MLflow."""

from __future__ import annotations

import os
import time
import warnings
from typing import TYPE_CHECKING, Any, Dict, Optional

from actsearch._optional import needed

if TYPE_CHECKING:
    from actsearch.study import Study, Trial


class Logger:
    """Where trials are written to. A study calls one method at a time."""

    def epoch(self, trial: Trial, epoch: int, train_loss: Optional[float], accuracy: Optional[float]) -> None:
        """An epoch, counted from 1, was told."""
        raise NotImplementedError

    def result(self, trial: Trial, score: Optional[float], failure: Optional[str]) -> None:
        """The trial has ended, with a score or a failure."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing more will be written."""

    def safely(self, what: str, trial: Trial, *arguments: Any) -> None:
        """epoch() or result(). What goes wrong is a warning: no training is to end because of a log."""
        try:
            getattr(self, what)(trial, *arguments)
        except Exception as error:  # of whatever library
            warnings.warn(f"trial {trial.id} is not logged: {error}", RuntimeWarning, stacklevel=5)


class TensorBoard(Logger):
    """Event files of the package tensorboard: a folder a trial, trial-17."""

    def __init__(self, directory: Optional[str], study: Study) -> None:
        if directory is None:
            raise ValueError('log_to("tensorboard", directory) needs a directory')
        used_by, install = 'log_to("tensorboard")', "tensorboard"
        self._writer_of = needed("tensorboard.summary.writer.event_file_writer", used_by, install).EventFileWriter
        self._event = needed("tensorboard.compat.proto.event_pb2", used_by, install).Event
        self._summary = needed("tensorboard.compat.proto.summary_pb2", used_by, install)
        self._tensor = needed("tensorboard.compat.proto.tensor_pb2", used_by, install).TensorProto
        self._directory = directory
        self._writers: Dict[int, Any] = {}
        os.makedirs(directory, exist_ok=True)

    def epoch(self, trial: Trial, epoch: int, train_loss: Optional[float], accuracy: Optional[float]) -> None:
        self._scalars(trial, epoch, train_loss=train_loss, accuracy=accuracy)

    def result(self, trial: Trial, score: Optional[float], failure: Optional[str]) -> None:
        self._scalars(trial, trial.epochs, score=score)
        if failure is not None:
            self._text(trial, "failure", failure)
        self._writers.pop(trial._number).close()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _scalars(self, trial: Trial, step: int, **values: Optional[float]) -> None:
        told = [self._summary.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items() if value is not None]
        self._add(trial, step, told)

    def _text(self, trial: Trial, tag: str, text: str) -> None:
        metadata = self._summary.SummaryMetadata(plugin_data=self._summary.SummaryMetadata.PluginData(plugin_name="text"))
        tensor = self._tensor(dtype="DT_STRING", string_val=[text.encode()])
        self._add(trial, 0, [self._summary.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])

    def _add(self, trial: Trial, step: int, values: list) -> None:
        if trial._number not in self._writers:
            self._writers[trial._number] = self._writer_of(os.path.join(self._directory, f"trial-{trial._number}"))
            self._text(trial, "formula", f"`{trial.formula.text}`, seed {trial.seed}")
        writer = self._writers[trial._number]
        writer.add_event(self._event(wall_time=time.time(), step=step, summary=self._summary.Summary(value=values)))
        writer.flush()


class MLflow(Logger):
    """A run a trial, in one experiment. A trial that was handed out again goes on with its run. Without a URI it is MLflow's own choice."""

    def __init__(self, directory: Optional[str], study: Study, tracking_uri: Optional[str] = None, experiment: str = "actsearch") -> None:
        mlflow = needed("mlflow", 'log_to("mlflow")', "mlflow")
        if directory is not None:
            raise ValueError('MLflow has a tracking_uri in place of a directory: log_to("mlflow", tracking_uri=…)')
        self._client = mlflow.MlflowClient(tracking_uri=tracking_uri)
        found = self._client.get_experiment_by_name(experiment)
        self._experiment = found.experiment_id if found else self._client.create_experiment(experiment)
        self._study = study.path
        self._conditions = study.conditions
        self._runs: Dict[int, str] = {}

    def epoch(self, trial: Trial, epoch: int, train_loss: Optional[float], accuracy: Optional[float]) -> None:
        run = self._run(trial)
        for name, value in (("train_loss", train_loss), ("accuracy", accuracy)):
            if value is not None:
                self._client.log_metric(run, name, value, step=epoch)

    def result(self, trial: Trial, score: Optional[float], failure: Optional[str]) -> None:
        run = self._run(trial)
        if score is not None:
            self._client.log_metric(run, "score", score, step=trial.epochs)
        if failure is not None:
            self._client.set_tag(run, "failure", failure)
        self._client.set_terminated(run, "FINISHED" if failure is None else "FAILED")
        del self._runs[trial._number]

    def _run(self, trial: Trial) -> str:
        if trial._number not in self._runs:
            self._runs[trial._number] = self._earlier(trial) or self._new(trial)
        return self._runs[trial._number]

    def _earlier(self, trial: Trial) -> Optional[str]:
        if trial._attempt == 1:
            return None
        marks = f"tags.`actsearch.trial` = '{trial._number}' AND tags.`actsearch.study` = '{_quoted(self._study)}'"
        runs = self._client.search_runs([self._experiment], marks, max_results=1)
        return runs[0].info.run_id if runs else None

    def _new(self, trial: Trial) -> str:
        tags = {"actsearch.trial": str(trial._number), "actsearch.study": self._study}
        run = self._client.create_run(self._experiment, run_name=f"trial-{trial._number}", tags=tags).info.run_id
        for name, value in (("formula", trial.formula.text), ("seed", trial.seed), ("conditions", self._conditions)):
            self._client.log_param(run, name, value)
        return run


def _quoted(text: str) -> str:
    return text.replace("'", "''")


_LOGGERS = {"tensorboard": TensorBoard, "mlflow": MLflow}


def make_logger(kind: str, directory: Optional[str], study: Study, options: dict) -> Logger:
    """The logger of a kind. ValueError for an unknown one."""
    if kind not in _LOGGERS:
        raise ValueError(f"there is no log of the kind {kind!r}; there are {', '.join(_LOGGERS)}")
    return _LOGGERS[kind](directory, study, **options)
