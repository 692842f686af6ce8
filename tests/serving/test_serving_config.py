"""TensorFlow Serving's configuration files, read with its messages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

import serving
from serving.options import config_files, config_messages
from serving.options.config_files import ConfigError

READERS = {
    "ModelServerConfig": config_files.read_model_server_config,
    "BatchingParameters": config_files.read_batching_parameters,
    "SSLConfig": config_files.read_ssl_config,
    "MonitoringConfig": config_files.read_monitoring_config,
}

MODELS = """
model_config_list {
  config {
    name: "vae" base_path: "/models/vae" model_platform: "tensorflow"
    model_version_policy { specific { versions: 3 versions: 7 } }
    version_labels { key: "stable" value: 3 }
  }
  config: < name: 'other', base_path: '/models/' 'other' >  # both are allowed
}
"""


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes):
        path = tmp_path / "some.config"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_models(write):
    vae, other = config_files.read_model_server_config(write(MODELS)).model_config_list.config
    assert (vae.name, vae.base_path, vae.model_platform) == ("vae", "/models/vae", "tensorflow")
    assert list(vae.model_version_policy.specific.versions) == [3, 7]
    assert dict(vae.version_labels) == {"stable": 3}
    assert (other.name, other.base_path) == ("other", "/models/other")


def test_batching(write):
    batching = config_files.read_batching_parameters(
        write(
            "max_batch_size { value: 128 } batch_timeout_micros { value: 0 } max_enqueued_batches { value: 5 }"
            'num_batch_threads { value: 2 } thread_pool_name { value: "pool" } allowed_batch_sizes: [1, 64]'
            "allowed_batch_sizes: 128 pad_variable_length_inputs: true enable_large_batch_splitting { value: true }"
            "max_execution_batch_size { value: 64 }"
        )
    )
    assert batching.max_batch_size.value == 128
    assert batching.HasField("batch_timeout_micros")
    assert batching.batch_timeout_micros.value == 0
    assert list(batching.allowed_batch_sizes) == [1, 64, 128]
    assert (batching.thread_pool_name.value, batching.pad_variable_length_inputs) == ("pool", True)
    assert (batching.enable_large_batch_splitting.value, batching.max_execution_batch_size.value) == (True, 64)


def test_absent_is_not_zero(write):
    batching = config_files.read_batching_parameters(write("num_batch_threads {}"))
    assert batching.HasField("num_batch_threads")
    assert not batching.HasField("max_batch_size")


def test_ssl_and_monitoring(write):
    ssl = config_files.read_ssl_config(write('server_key: "k" server_cert: "a\\nb" custom_ca: "c" client_verify: true'))
    assert (ssl.server_key, ssl.server_cert, ssl.custom_ca, ssl.client_verify) == ("k", "a\nb", "c", True)
    monitoring = config_files.read_monitoring_config(write('prometheus_config { enable: true, path: "/metrics" }'))
    assert (monitoring.prometheus_config.enable, monitoring.prometheus_config.path) == (True, "/metrics")


# What protoc makes of TensorFlow Serving's ssl_config.proto and monitoring_config.proto, without the options.
SSL_FILE = (
    b"\n*tensorflow_serving/config/ssl_config.proto\x12\x12tensorflow.serving"
    b'"^\n\tSSLConfig\x12\x12\n\nserver_key\x18\x01 \x01(\t\x12\x13\n\x0bserver_cert\x18\x02 \x01(\t'
    b"\x12\x11\n\tcustom_ca\x18\x03 \x01(\t\x12\x15\n\rclient_verify\x18\x04 \x01(\x08b\x06proto3"
)
MONITORING_FILE = (
    b"\n1tensorflow_serving/config/monitoring_config.proto\x12\x12tensorflow.serving"
    b'"0\n\x10PrometheusConfig\x12\x0e\n\x06enable\x18\x01 \x01(\x08\x12\x0c\n\x04path\x18\x02 \x01(\t'
    b'"S\n\x10MonitoringConfig\x12?\n\x11prometheus_config\x18\x01 \x01(\x0b'
    b"2$.tensorflow.serving.PrometheusConfigb\x06proto3"
)


def test_same_as_generated_code():
    for content in (SSL_FILE, MONITORING_FILE):
        for wanted in descriptor_pb2.FileDescriptorProto.FromString(content).message_type:
            found = descriptor_pb2.DescriptorProto()
            getattr(config_messages, wanted.name).DESCRIPTOR.CopyToProto(found)
            assert found == wanted


def test_batching_on_the_wire():
    # Written by hand: field 1 is a message whose field 1 is 128; 6 is packed; 7 is a bool; 8 and 9 are messages.
    wire = bytes.fromhex("0a030880013202010a3801420208014a020840")
    batching = config_messages.BatchingParameters.FromString(wire)
    assert batching.max_batch_size.value == 128
    assert list(batching.allowed_batch_sizes) == [1, 10]
    assert (batching.pad_variable_length_inputs, batching.enable_large_batch_splitting.value) == (True, True)
    assert batching.max_execution_batch_size.value == 64
    assert batching.SerializeToString(deterministic=True) == wire


@pytest.mark.parametrize("ours_first", [True, False])
def test_coexists_with_generated_code(ours_first):
    ours = "import serving.options.config_messages"
    theirs = (
        "from google.protobuf import descriptor_pool\n"
        f"descriptor_pool.Default().AddSerializedFile({SSL_FILE!r})\n"
        f"descriptor_pool.Default().AddSerializedFile({MONITORING_FILE!r})"
    )
    code = "\n".join([ours, theirs] if ours_first else [theirs, ours])
    environment = os.environ | {"PYTHONPATH": str(Path(serving.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("\n  nope: 1", '2:3: Message type "tensorflow.serving.{}" has no field named "nope".'),
        ("{", "1:1: Expected identifier or number, got {{."),
        (b"# \xc3\xa9\n \xff", "2:2: byte 0xff is not UTF-8"),
    ],
)
def test_unparsable(write, name, content, reason):
    path = write(content)
    with pytest.raises(ConfigError) as caught:
        READERS[name](path)
    assert str(caught.value) == f"Error parsing text-format tensorflow.serving.{name}: {reason.format(name)} ({path})"


def test_unparsable_models(write):
    with pytest.raises(ConfigError, match=r"1:29: Expected \"{\". \("):
        config_files.read_model_server_config(write("model_config_list { config: 3 }"))
    with pytest.raises(ConfigError, match=r"nested too deeply"):
        config_files.read_model_server_config(
            write("custom_model_config { [type.googleapis.com/tensorflow.serving.ModelServerConfig] { " * 600)
        )


@pytest.mark.parametrize(
    "content", ['server_key: "SECRET', 'server_key: "SECRET\\xff" client_verify: "SECRET"', 'server_key: "SECRET" 3']
)
def test_a_key_is_not_told(write, content):
    with pytest.raises(ConfigError) as caught:
        config_files.read_ssl_config(write(content))
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("read", READERS.values())
def test_unreadable(tmp_path, read):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "nope")
    assert str(caught.value) == f"cannot read {tmp_path / 'nope'}: No such file or directory"
    with pytest.raises(ConfigError, match="Is a directory"):
        read(tmp_path)


TOKENS = [
    "model_config_list",
    "config",
    "name",
    "{",
    "}",
    "<",
    ">",
    "[",
    "]",
    ":",
    '"x"',
    '"',
    "'",
    "\\",
    "\n",
    "#",
    "1e99",
]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(TOKENS), max_size=12).map(" ".join).map(str.encode)))
def test_anything_is_read_or_refused_in_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "random.config"
    path.write_bytes(content)
    for name, read in READERS.items():
        refusal = ""
        try:
            read(path)
        except ConfigError as error:
            refusal = str(error)
        assert not refusal or refusal.startswith(f"Error parsing text-format tensorflow.serving.{name}: ")
        assert "\n" not in refusal
