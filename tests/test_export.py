import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

import keras_vae as kv
from keras_vae.export import ExportMismatchError, saved_model
from keras_vae.export.version_directory import whole_version

SIGNATURES = {"generate", "draw", "encode", "decode", "reconstruct", "score"}


@pytest.fixture(scope="module")
def vae():
    return kv.models.vae((8, 8, 1), latent_size=3, hidden=[16], seed=1)


@pytest.fixture(scope="module")
def exported(vae, tmp_path_factory):
    return vae.export(tmp_path_factory.mktemp("models") / "digits" / "1", score_samples=8)


def test_signatures_have_named_tensors_and_an_unknown_batch_dimension(exported):
    served = tf.saved_model.load(str(exported)).signatures
    assert set(served) == SIGNATURES | {"serving_default"}
    inputs = {name: set(f.structured_input_signature[1]) for name, f in served.items()}
    outputs = {name: set(f.structured_outputs) for name, f in served.items()}
    assert inputs == {
        "generate": {"seed"},
        "serving_default": {"seed"},
        "draw": {"seed"},
        "encode": {"x"},
        "decode": {"z"},
        "reconstruct": {"x"},
        "score": {"x", "seed"},
    }
    assert outputs == {
        "generate": {"mean", "z"},
        "serving_default": {"mean", "z"},
        "draw": {"draw", "mean", "z"},
        "encode": {"mean", "scale"},
        "decode": {"mean", "logits"},
        "reconstruct": {"mean"},
        "score": {"log_likelihood_bound"},
    }
    for function in served.values():
        for spec in [*function.structured_input_signature[1].values(), *function.structured_outputs.values()]:
            assert spec.shape.rank >= 1
            assert spec.shape[0] is None


def test_no_python_ops(exported):
    ops = set()
    for function in tf.saved_model.load(str(exported)).signatures.values():
        graph = function.graph.as_graph_def()
        ops |= {node.op for node in graph.node} | {n.op for f in graph.library.function for n in f.node_def}
    assert "MatMul" in ops
    assert not {op for op in ops if "Py" in op}


def test_each_row_depends_on_itself_alone(exported, vae):
    served = tf.saved_model.load(str(exported)).signatures
    rng = np.random.default_rng(0)
    x = tf.constant(rng.integers(0, 2, [64, 8, 8, 1]), tf.float32)
    seed = tf.constant(rng.integers(-(2**62), 2**62, [64]), tf.int64)
    z = tf.constant(rng.normal(size=[64, 3]), tf.float32)
    requests = {"generate": {"seed": seed}, "encode": {"x": x}, "decode": {"z": z}, "score": {"x": x, "seed": seed}}
    for name, request in requests.items():
        together = served[name](**request)
        for i in (0, 17, 63):
            alone = served[name](**{key: value[i : i + 1] for key, value in request.items()})
            for output in together:
                np.testing.assert_allclose(alone[output][0], together[output][i], rtol=1e-5, atol=1e-5)
    z64, z1 = served["generate"](seed=seed)["z"], served["generate"](seed=seed[17:18])["z"]
    np.testing.assert_array_equal(z64[17], z1[0])
    np.testing.assert_array_equal(z64, vae.generate(seed)["z"])


def test_warmup_has_a_request_for_every_signature_and_they_run(exported):
    served = tf.saved_model.load(str(exported)).signatures
    file = exported / "assets.extra" / "tf_serving_warmup_requests"
    seen = set()
    for record in tf.data.TFRecordDataset(str(file)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        assert request.model_spec.name == "digits"
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        served[request.model_spec.signature_name](**inputs)
        seen.add(request.model_spec.signature_name)
    assert seen == SIGNATURES


def test_a_version_is_never_overwritten(exported, vae):
    before = {p: p.stat().st_mtime_ns for p in exported.rglob("*")}
    with pytest.raises(FileExistsError, match=r"never overwritten.*digits/2"):
        vae.export(exported)
    assert {p: p.stat().st_mtime_ns for p in exported.rglob("*")} == before


@pytest.mark.parametrize("name", ["digits", "01", "0", "-1", "1.5", "v1"])
def test_a_path_without_a_version_is_refused(vae, tmp_path, name):
    with pytest.raises(ValueError, match="expected a path that ends in a version"):
        vae.export(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_bad_arguments_are_refused(vae, tmp_path):
    with pytest.raises(ValueError, match="tf_saved_model"):
        vae.export(tmp_path / "1", format="onnx")
    with pytest.raises(ValueError, match="score_samples"):
        vae.export(tmp_path / "1", score_samples=0)


def test_an_export_that_differs_from_the_model_leaves_nothing(vae, tmp_path, monkeypatch):
    live = saved_model.signatures

    def shifted(model, score_samples):
        endpoints = live(model, score_samples)
        wrong = type(endpoints["encode"])(
            endpoints["encode"].inputs, lambda x: {k: v + 0.01 for k, v in model.encode(x).items()}
        )
        return {**endpoints, "encode": wrong}

    def verify_against_live(directory, _, requests, tolerance):
        verify(directory, live(vae, 4), requests, tolerance)

    verify = saved_model.verify
    monkeypatch.setattr(saved_model, "signatures", shifted)
    monkeypatch.setattr(saved_model, "verify", verify_against_live)
    with pytest.raises(ExportMismatchError, match=r"encode\.\w+: expected the model's output within"):
        vae.export(tmp_path / "1", score_samples=4)
    assert not list(tmp_path.iterdir())


def test_a_model_with_nan_weights_is_not_exported(tmp_path):
    spoiled = kv.models.vae((4,), latent_size=2, hidden=[4])
    spoiled.decoder.head.bias.assign(np.full(4, np.nan))
    with pytest.raises(ExportMismatchError, match="NaN"):
        spoiled.export(tmp_path / "1")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing(tmp_path):
    def fail():
        with whole_version(tmp_path / "1") as directory:
            (directory / "half").write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "code"),
    [("No space left on device", errno.ENOSPC), ("File too large [Op:SaveV2]", errno.EFBIG), ("Odd", errno.EIO)],
)
def test_a_disk_that_is_full_is_told_as_such(tmp_path, words, code):
    """`test_serving_stress_process.py` fills one."""
    target, message = tmp_path / "1", f"{{{{function_node x}}}} {tmp_path}/.exporting-1/saved_model.pb; {words}"
    with (
        pytest.raises(OSError, match=rf"{words[:3]}.*: {target} was not written.* Check the free disk space") as caught,
        saved_model.clear_write_errors(tmp_path / ".exporting-1", target),
    ):
        raise tf.errors.OutOfRangeError(None, None, message)
    assert caught.value.errno == code
    assert "Op:" not in str(caught.value)
    other = tf.errors.OutOfRangeError(None, None, "of another file")
    with pytest.raises(tf.errors.OutOfRangeError), saved_model.clear_write_errors(tmp_path, target):
        raise other


def test_two_exports_at_once_give_one_whole_version(tmp_path):
    def slower():
        with whole_version(tmp_path / "1") as slow:
            (slow / "file").write_text("slow")
            (tmp_path / "1").mkdir()  # the other was faster
            (tmp_path / "1" / "file").write_text("fast")

    with pytest.raises(FileExistsError, match="never overwritten"):
        slower()
    assert (tmp_path / "1" / "file").read_text() == "fast"
    assert [p.name for p in tmp_path.iterdir()] == ["1"]


def test_what_a_dead_process_left_is_swept_and_a_live_export_is_not(tmp_path):
    left = tmp_path / ".exporting-1-abc"
    left.mkdir()
    with whole_version(tmp_path / "1") as first:
        assert not left.exists()
        (first / "file").write_text("first")
        with whole_version(tmp_path / "2") as second:
            assert first.exists()
            (second / "file").write_text("second")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "2"]
    assert (tmp_path / "1").stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.stress
def test_killed_exports_leave_no_half_version_and_are_swept(vae, tmp_path):
    """kill -9 while an export writes; one that follows clears up."""
    vae.save(tmp_path / "vae.keras")
    base = tmp_path / "models"
    script = (
        "import keras, keras_vae, itertools\n"
        f"vae = keras.saving.load_model({str(tmp_path / 'vae.keras')!r})\n"
        "print('ready', flush=True)\n"
        f"for version in itertools.count(1): vae.export({str(base)!r} + f'/{{version}}', score_samples=2)\n"
    )
    for delay in (0.3, 1.1):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout.readline() == b"ready\n"
        while not list(base.glob(".exporting-*")):
            time.sleep(0.01)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for version in base.glob("[0-9]*"):
            assert set(tf.saved_model.load(str(version)).signatures) >= SIGNATURES
            assert (version / "assets.extra" / "tf_serving_warmup_requests").exists()
            shutil.rmtree(version)
    vae.export(base / "100", score_samples=2)
    assert [p.name for p in base.iterdir()] == ["100"]


def test_an_export_says_nothing_of_the_directory_it_is_made_in(vae, tmp_path, caplog):
    caplog.set_level("INFO", logger="tensorflow")
    vae.export(tmp_path / "m" / "1", score_samples=2)
    assert not [record for record in caplog.records if "Assets written" in record.getMessage()]
