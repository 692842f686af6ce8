"""A run that is killed, continued or started with other settings."""

import dataclasses
import json
import random
import re

import numpy as np
import pytest
from tensorflow.python.framework import config as tf_config  # the public API cannot switch op determinism off

from benchmarks import kill
from keras_vae import cli
from keras_vae.training import Run, RunConfig, read_history
from keras_vae.training.checkpoint import checkpoints
from tests.short_runs import config


@pytest.fixture(autouse=True)
def _determinism_ends_with_the_test():
    yield
    tf_config.disable_op_determinism()


@pytest.mark.stress
def test_epochs_raised_later_end_on_the_bits_of_one_long_run(digits, tmp_path):
    Run(tmp_path / "other").train(config(digits), epochs=1)
    assert not tf_config.is_op_determinism_enabled()
    settings = config(digits, deterministic=True)
    long = Run(tmp_path / "long").train(settings, epochs=5)
    assert tf_config.is_op_determinism_enabled()
    run = Run(tmp_path / "raised")
    run.train(settings, epochs=2)
    raised = run.train(settings, epochs=5)
    for mine, theirs in zip(kill.state(raised), kill.state(long), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert read_history(run.history_path) == read_history(tmp_path / "long" / "history.json")


def test_fewer_epochs_than_trained_change_nothing_and_are_told(digits, tmp_path, capsys):
    run = Run(tmp_path / "run")
    trained = run.train(config(digits), epochs=3)
    again = run.train(config(digits), epochs=2)
    assert "Trained already, for 3 epochs; 2 were requested" in capsys.readouterr().err
    for mine, theirs in zip(kill.state(again), kill.state(trained), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert [p.name for p in checkpoints(run.checkpoint_dir)] == ["epoch-00003.keras", "epoch-00002.keras"]


def test_every_changed_setting_is_shown_by_the_name_of_its_option(capsys):
    cli.main(["train", "--help"])
    shown_help = capsys.readouterr().out
    mine = RunConfig()
    for field in dataclasses.fields(RunConfig):
        old = getattr(mine, field.name)
        new = not old if isinstance(old, bool) else "another"
        (shown,) = mine.differences(dataclasses.replace(mine, **{field.name: new}))
        option, values = shown.split(": ")
        assert values == f"{old!r} → {new!r}"
        assert re.search(rf"{option}\b", shown_help), option


def test_deterministic_may_not_change_and_was_off_in_older_runs(digits, tmp_path, capsys):
    words = f"train --run {tmp_path / 'run'} --data {digits} --hidden 16 --latent 2 --batch-size 16 --epochs 1".split()
    assert cli.main([*words, "--deterministic"]) == 0
    assert cli.main([*words, "--deterministic=false"]) == 1
    assert "(--deterministic: True → False)" in capsys.readouterr().err
    path = tmp_path / "run" / "config.json"
    older = json.loads(path.read_text())
    del older["deterministic"]
    path.write_text(json.dumps(older))
    assert RunConfig.read(path) == config(digits, deterministic=False)


@pytest.mark.stress
def test_kill_9_at_any_moment_changes_no_bit(digits, tmp_path):
    """The lean half of `benchmarks/kill.py`."""
    options = ["--data", str(digits), "--hidden", "120", "--latent", "2", "--batch-size", "16", "--epochs", "60"]
    kills = {"anywhere": 1, "after an epoch": 1, "writing": 2}
    found = kill.kill_training(tmp_path, random.Random(1), [*options, "--deterministic"], kills)
    assert found["kills_that_left_an_unfinished_checkpoint"] >= 1, found
    assert found["arrays_compared"] > 20, found
    assert (found["arrays_that_differ"], found["largest_difference_of_a_weight"]) == (0, 0.0), found
    assert found["equal_histories"], found
    assert found["epochs_whose_logs_differ"] == []
    assert found["unfinished_files_in_the_end"] == 0
