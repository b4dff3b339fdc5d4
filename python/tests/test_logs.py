"""Studies in TensorBoard, MLflow, pandas and Parquet."""

from __future__ import annotations

import glob

import pytest

from actsearch import Answer
from conftest import make_study


def train(study, count=2):
    for trial in study.ask(count):
        with trial:
            for epoch in (1, 2):
                trial.report(epoch, train_loss=1 / epoch, accuracy=epoch / 10)
            trial.tell(0.25)


def test_tensorboard_reads_what_trials_told(study, tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed")
    study.log_to("tensorboard", tmp_path / "runs")
    train(study)
    next(study.ask()).fail("out of memory")
    study.close()
    assert len(glob.glob(str(tmp_path / "runs" / "trial-*"))) == 3
    events = reader.EventAccumulator(str(tmp_path / "runs" / "trial-1")).Reload()
    assert [(one.step, one.value) for one in events.Scalars("train_loss")] == [(1, 1.0), (2, 0.5)]
    assert [one.step for one in events.Scalars("accuracy")] == [1, 2]
    assert [(one.step, one.value) for one in events.Scalars("score")] == [(10, 0.25)]
    formula = events.Tensors("formula")[0].tensor_proto.string_val[0].decode()
    assert "seed 0" in formula and "x" in formula


def test_tensorboard_needs_a_directory(study):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    with pytest.raises(ValueError, match="directory"):
        study.log_to("tensorboard")


def test_mlflow_has_a_run_a_trial_that_goes_on(study, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # it wants no database
    uri = (tmp_path / "mlflow").as_uri()
    study.log_to("mlflow", tracking_uri=uri, experiment="mine")
    train(study, 1)
    (trial,) = study.ask()
    trial.report(1, train_loss=0.9)
    trial.give_back()
    (again,) = study.ask()
    again.report(2, train_loss=0.8)
    again.fail("out of memory")
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("mine")
    runs = {run.data.tags["actsearch.trial"]: run for run in client.search_runs([experiment.experiment_id])}
    assert len(runs) == 2
    done, failed = runs["1"], runs["2"]
    assert (done.info.status, done.data.metrics["score"], done.data.metrics["train_loss"]) == ("FINISHED", 0.25, 0.5)
    assert done.data.params["seed"] == "0" and "x" in done.data.params["formula"]
    assert (failed.info.status, failed.data.tags["failure"]) == ("FAILED", "out of memory")
    assert [(one.step, one.value) for one in client.get_metric_history(failed.info.run_id, "train_loss")] == [(1, 0.9), (2, 0.8)]


def test_what_cannot_be_logged_is_a_warning_and_training_goes_on(study, tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    study.log_to("tensorboard", tmp_path / "runs")
    (tmp_path / "runs" / "trial-1").write_text("in the way")
    (trial,) = study.ask()
    with pytest.warns(RuntimeWarning, match="not logged"):
        assert trial.report(1, train_loss=0.5) is Answer.GO_ON
    with pytest.warns(RuntimeWarning, match="not logged"):
        assert trial.tell(0.5) is Answer.STORED


def test_tables_go_to_pandas_and_parquet(study, tmp_path):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    assert list(study.leaderboard().to_pandas().columns) == []
    train(study)
    frame = study.leaderboard().to_pandas()
    assert list(frame["rank"]) == [1, 2] and list(frame["score"]) == [0.25, 0.25]
    study.to_parquet(tmp_path / "trials.parquet")
    table = parquet.read_table(tmp_path / "trials.parquet").to_pandas()
    assert list(table["score"]) == [0.25, 0.25] and list(table["epochs"]) == [2, 2]
    assert isinstance(study.trials().to_pandas(), pandas.DataFrame)
    assert make_study(study.path).trials() == study.trials()
