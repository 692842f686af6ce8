"""Disks that are full, closed to us or damaged: a clear error, and the last good checkpoint goes on."""

import contextlib
import errno
import os
import resource
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_vae import cli
from keras_vae.training import Run, RunConfig, read_history, restore
from keras_vae.training.callbacks import clear_log_errors
from keras_vae.training.checkpoint import checkpoints
from keras_vae.utils import files
from keras_vae.utils.files import UNFINISHED, whole

_NOBODY = 65534


@pytest.fixture(scope="module")
def template(binary_images):
    """A folder anyone may read, with an .npz of images and a run of two epochs."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    gray = (binary_images * 250).astype(np.uint8)
    np.savez(folder / "digits.npz", x_train=gray, x_test=gray[:16])
    Run(folder / "run").train(_config(folder), epochs=2)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def run(template):
    copy = template / "copy"
    shutil.copytree(template / "run", copy)
    yield Run(copy)
    copy.chmod(0o755)
    shutil.rmtree(copy)


def _config(folder):
    return RunConfig(data=str(folder / "digits.npz"), hidden=(16,), latent_size=2, batch_size=16)


def _words(run, template):
    words = f"train --run {run.directory} --data {template / 'digits.npz'} --hidden 16 --latent 2 --batch-size 16"
    return words.split()


@contextlib.contextmanager
def _no_file_above(size):
    """Let no file grow beyond `size` bytes: the system's answer is EFBIG, as ENOSPC in the middle of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def _unprivileged():
    """Be nobody, if we are root, to whom no folder is closed."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def _assert_it_goes_on(run, template, epochs):
    """The next start goes on from the last good checkpoint, here of epoch 2."""
    assert not list(run.directory.rglob(f"*{UNFINISHED}*"))
    assert [p.name for p in checkpoints(run.checkpoint_dir)] == ["epoch-00002.keras", "epoch-00001.keras"]
    run.train(_config(template), epochs=epochs)
    assert [e["epoch"] for e in read_history(run.history_path)] == list(range(1, epochs + 1))


@pytest.mark.stress
def test_a_disk_that_fills_in_a_checkpoint(run, template):
    size = checkpoints(run.checkpoint_dir)[0].stat().st_size
    with _no_file_above(size // 2), pytest.raises(OSError, match=r"epoch-00003\.keras was not written") as caught:
        run.train(_config(template), epochs=4)
    assert caught.value.errno == errno.EFBIG
    assert "free disk space" in str(caught.value)
    _assert_it_goes_on(run, template, 4)


def test_logs_that_cannot_be_written(run, template):
    shutil.rmtree(run.log_dir)
    run.log_dir.write_text("in the way")
    with pytest.raises(OSError, match=r"logs in .* cannot be written; the last checkpoint is kept"):
        run.train(_config(template), epochs=3)
    run.log_dir.unlink()
    _assert_it_goes_on(run, template, 3)


def test_only_errors_of_the_logs_are_told_as_such(tmp_path):
    text = f"{{{{node x}}}} {tmp_path}/events.v2; No space left on device\n\tCould not initialize events writer."
    with pytest.raises(OSError, match=r"No space left on device: the logs in") as caught, clear_log_errors(tmp_path):
        raise tf.errors.ResourceExhaustedError(None, None, text)
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(tf.errors.ResourceExhaustedError, match="OOM"), clear_log_errors(tmp_path):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating a tensor")


def test_a_directory_that_may_not_be_written(run, template):
    run.directory.chmod(0o555)
    with _unprivileged(), pytest.raises(PermissionError, match=r"Permission denied: .*\.lock"):
        run.train(_config(template), epochs=3)
    with _unprivileged(), pytest.raises(PermissionError, match=r"Permission denied: the folder .* cannot be created"):
        Run(run.directory / "below").train(_config(template), epochs=3)
    run.directory.chmod(0o755)
    _assert_it_goes_on(run, template, 3)


@pytest.mark.parametrize("below", [".", "deeper/run"])
def test_a_run_directory_that_is_a_file(template, below, capsys):
    words = ["train", "--run", str(template / "digits.npz" / below), "--epochs", "1"]
    assert cli.main(words) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"{template / 'digits.npz'} is a file: the folder" in line


def _full_half_way(path):
    """Write as zipfile does where the disk is full: it stumbles over its open part, and says that instead."""
    with whole(path) as unfinished:
        unfinished.write_text("half")
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            int("no number")


def _wrong_half_way(path):
    with whole(path) as unfinished:
        unfinished.write_text("half")
        raise ZeroDivisionError


def test_a_file_that_fails_half_way_leaves_the_old_one_and_no_other(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")
    with pytest.raises(OSError, match=r"No space left on device: .*model\.keras was not written") as caught:
        _full_half_way(path)
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(ZeroDivisionError):
        _wrong_half_way(path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]
    assert path.read_text() == "old"


def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    names = "/proc/self/fd/{}"
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append(os.readlink(names.format(fd))), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    with files.whole(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("a")
    assert calls == [str(unfinished), "replace", str(tmp_path)]


def _flip_a_bit(path):
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)


def test_a_checkpoint_with_a_flipped_byte_is_passed_over(run, template):
    newest, before = checkpoints(run.checkpoint_dir)
    _flip_a_bit(newest)
    with pytest.warns(
        UserWarning, match=r"epoch-00002\.keras cannot be loaded: .* is damaged.*Trying the previous one"
    ):
        run.train(_config(template), epochs=3)
    assert [e["epoch"] for e in read_history(run.history_path)] == [1, 2, 3]
    for path in checkpoints(run.checkpoint_dir):
        path.write_bytes(path.read_bytes()[:-100])
    with (
        pytest.warns(UserWarning, match="Trying the previous one"),
        pytest.raises(ValueError, match="Restore a copy of one, or move the directory away"),
    ):
        restore(run.checkpoint_dir)
    assert before.exists() is False


def test_a_damaged_model_is_named_and_training_again_mends_it(run, template, tmp_path, capsys):
    _flip_a_bit(run.model_path)
    sample = ["sample", str(run.directory), "--n", "1", "--out", str(tmp_path / "s.npy")]
    for words in (sample, ["evaluate", str(run.directory)], ["export", str(run.directory), str(tmp_path / "m" / "1")]):
        assert cli.main(words) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert f"{run.model_path} is damaged" in line
        assert "Run keras-vae train again" in line
    assert cli.main([*sample[:1], str(run.model_path), *sample[2:]]) == 1
    assert "Restore a copy of it" in capsys.readouterr().err
    assert cli.main([*_words(run, template), "--epochs", "2"]) == 0
    assert cli.main(sample) == 0


@pytest.mark.parametrize("name", ["config.json", "history.json"])
def test_a_flipped_byte_in_a_runs_settings_or_history_gives_one_clear_line(run, template, name, capsys):
    path = run.directory / name
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    assert cli.main([*_words(run, template), "--epochs", "3"]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("keras-vae train: error: ")
    assert str(path) in line
    assert len(checkpoints(run.checkpoint_dir)) == 2
