"""Lists of models: policies, labels, reloads, and what is refused in them."""

from collections import Counter

import grpc
import numpy as np
import pytest
from google.protobuf import text_format
from serving_testing import Stubs, X, publish, refusal, status_request, wait_for
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, model_service_pb2_grpc, predict_pb2
from tensorflow_serving.config import model_server_config_pb2

import serving
from serving.core.methods import Methods
from serving.core.models import Models
from serving.core.servable import ModelLoadError
from serving.core.served_model import Retries, ServedModel
from serving.wire import tensors

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
STATES = get_model_status_pb2.ModelVersionStatus.State


def entry(path, name="vae", more="") -> str:
    return f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" {more} }}'


def listed(*entries: str) -> model_server_config_pb2.ModelServerConfig:
    text = f"model_config_list {{ {' '.join(entries)} }}"
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())


@pytest.fixture
def base_path(tmp_path, exports):
    for version, export in ((1, 1), (2, 2), (5, 1)):
        publish(exports[export], tmp_path / "vae", version)
    return tmp_path / "vae"


@pytest.fixture
def server(base_path, tmp_path):
    config = tmp_path / "models.config"
    config.write_text(text_format.MessageToString(listed(entry(base_path, more="model_version_policy { all {} }"))))
    with serving.Server(
        model_config_file=config,
        port=0,
        file_system_poll_wait_seconds=0.05,
        model_config_file_poll_wait_seconds=0.05,
    ) as running:
        yield running


@pytest.fixture
def stubs(server):
    stubs = Stubs(server.port)
    with stubs.channel:
        stubs.reload = model_service_pb2_grpc.ModelServiceStub(stubs.channel).HandleReloadConfigRequest
        yield stubs


def reload_request(config) -> model_management_pb2.ReloadConfigRequest:
    return model_management_pb2.ReloadConfigRequest(config=config)


def states(stubs, model="vae") -> dict[int, int]:
    return {one.version: one.state for one in stubs.status(status_request(model), timeout=30).model_version_status}


def served(server) -> set[int]:
    return {servable.version for servable in server.models.get("vae").servables()}


def encode_request(**spec) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(model_spec={"name": "vae", "signature_name": "encode"})
    for field, value in spec.items():
        if field == "version":
            request.model_spec.version.value = value
        else:
            setattr(request.model_spec, field, value)
    request.inputs["x"].CopyFrom(serving_tensor(X))
    return request


def serving_tensor(array):
    proto = predict_pb2.PredictRequest().inputs["x"]
    tensors.to_proto(array, proto)
    return proto


def test_each_version_of_a_policy_answers_by_its_number(server, stubs):
    assert served(server) == {1, 2, 5}
    means = {}
    for version in (1, 2, 5):
        answer = stubs.predict(encode_request(version=version), timeout=30)
        assert answer.model_spec.version.value == version
        means[version] = np.array(answer.outputs["mean"].float_val, np.float32)
    np.testing.assert_array_equal(means[2], 2 * means[1])
    np.testing.assert_array_equal(means[5], means[1])
    assert stubs.predict(encode_request(), timeout=30).model_spec.version.value == 5


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", {5}),
        ("latest {}", {5}),
        ("latest { num_versions: 2 }", {2, 5}),
        ("latest { num_versions: 9 }", {1, 2, 5}),
        ("specific { versions: 1 versions: 2 }", {1, 2}),
        ("specific { versions: 2 versions: 7 }", {2}),
    ],
)
def test_policies(server, stubs, base_path, policy, expected):
    stubs.reload(reload_request(listed(entry(base_path, more=f"model_version_policy {{ {policy} }}"))), timeout=60)
    assert served(server) == expected
    end, available = 50, 30
    assert states(stubs) == {version: available if version in expected else end for version in (5, 2, 1)}


def test_a_label_moves_only_to_a_version_that_answers(server, stubs, base_path):
    def move(version: int) -> None:
        labels = f'model_version_policy {{ all {{}} }} version_labels {{ key: "stable" value: {version} }}'
        stubs.reload(reload_request(listed(entry(base_path, more=labels))), timeout=60)

    assert refusal(stubs.predict, encode_request(version_label="stable")) == (
        INVALID,
        "Unrecognized servable version label: stable",
    )
    for version in (1, 2, 1):
        move(version)
        assert stubs.predict(encode_request(version_label="stable"), timeout=30).model_spec.version.value == version
    with pytest.raises(grpc.RpcError) as caught:
        move(7)
    assert caught.value.code() is PRECONDITION
    assert caught.value.details() == (
        "Request to assign label to version 7 of model vae, which is not currently available for inference"
    )
    assert stubs.predict(encode_request(version_label="stable"), timeout=30).model_spec.version.value == 1
    request = status_request()
    request.model_spec.version_label = "stable"
    assert [one.version for one in stubs.status(request, timeout=30).model_version_status] == [1]


def test_labels_at_the_start_need_leave(base_path, tmp_path):
    config = tmp_path / "labelled.config"
    labels = 'version_labels { key: "stable" value: 5 }'
    config.write_text(text_format.MessageToString(listed(entry(base_path, more=labels))))
    with pytest.raises(Exception, match="not currently available for inference"):
        serving.Server(model_config_file=config, port=0).start()
    with serving.Server(model_config_file=config, port=0, allow_version_labels_for_unavailable_models=True) as server:
        stubs = Stubs(server.port)
        with stubs.channel:
            assert stubs.predict(encode_request(version_label="stable"), timeout=30).model_spec.version.value == 5


def test_a_reload_replaces_the_whole_list(stubs, base_path, exports, tmp_path):
    publish(exports[2], tmp_path / "other", 3)
    stubs.reload(reload_request(listed(entry(tmp_path / "other", "other"))), timeout=60)
    assert states(stubs, "other") == {3: 30}
    assert set(states(stubs).values()) == {50}  # they stay in the status, as END
    code, details = refusal(stubs.predict, encode_request())
    assert (code, details) == (grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(vae)")
    stubs.reload(reload_request(listed()), timeout=60)
    assert states(stubs, "other") == {3: 50}


def test_another_base_path(server, stubs, exports, tmp_path):
    publish(exports[2], tmp_path / "elsewhere", 4)
    stubs.reload(reload_request(listed(entry(tmp_path / "elsewhere"))), timeout=60)
    assert served(server) == {4}


def test_at_another_base_path_what_is_there_answers_until_it_is_replaced(server, stubs, exports, tmp_path):
    (tmp_path / "elsewhere" / "5").mkdir(parents=True)
    before = stubs.predict(encode_request(version=5), timeout=30).outputs["mean"].float_val
    reload = reload_request(listed(entry(tmp_path / "elsewhere")))
    stubs.reload(reload, timeout=60)
    assert stubs.predict(encode_request(version=5), timeout=30).outputs["mean"].float_val == before
    (tmp_path / "elsewhere" / "5").rmdir()
    publish(exports[2], tmp_path / "elsewhere", 5)  # answers with the double
    doubled = [2 * value for value in before]
    wait_for(lambda: stubs.predict(encode_request(version=5), timeout=30).outputs["mean"].float_val == doubled)
    assert served(server) == {5}


def test_refused_lists(server, stubs, base_path):
    relative = listed(entry("models/vae"))
    twice = listed(entry(base_path), entry(base_path))
    platform = listed(entry(base_path).replace("tensorflow", "sklearn"))
    none = model_server_config_pb2.ModelServerConfig()
    for config, words in (
        (relative, "Expected model vae to have an absolute path or URI; got base_path()=models/vae"),
        (twice, "Illegal to list model vae multiple times in config list"),
        (
            platform,
            "Illegal to change a model's platform. For model vae platform was tensorflow"
            " and new platform requested is sklearn",
        ),
        (
            none,
            "ServerModelConfig type not supported by HandleReloadConfigRequest."
            " Only ModelConfigList is currently supported",
        ),
    ):
        assert refusal(stubs.reload, reload_request(config)) == (INVALID, words)
    for more in ("logging_config {}", "model_type: TENSORFLOW"):
        assert refusal(stubs.reload, reload_request(listed(entry(base_path, more=more))))[0] is INVALID
    for text in (
        entry("gs://bucket/vae"),
        entry(base_path, name=""),
        entry(base_path, "new").replace("tensorflow", "sklearn"),
        entry(base_path, "new").replace('"tensorflow"', '""'),
    ):
        assert refusal(stubs.reload, reload_request(listed(text)))[0] is INVALID
    assert served(server) == {1, 2, 5}


def test_an_unloadable_model_blocks_no_other(server, stubs, base_path, exports, tmp_path):
    (tmp_path / "broken" / "1").mkdir(parents=True)
    publish(exports[2], tmp_path / "other", 3)
    config = listed(entry(tmp_path / "broken", "broken"), entry(tmp_path / "other", "other"), entry(base_path))
    code, details = refusal(stubs.reload, reload_request(config))
    assert code is grpc.StatusCode.UNKNOWN
    assert details.startswith(
        "1 model(s) did not become available: {{{name: broken version: 1} due to error: NOT_FOUND: cannot load"
    )
    assert details.endswith("}, }")
    assert states(stubs, "other") == {3: 30}
    assert states(stubs, "broken") == {1: 50}
    assert served(server) == {5}


def test_a_reload_waits_for_new_models_only(stubs, base_path):
    (base_path / "9").mkdir()
    stubs.reload(reload_request(listed(entry(base_path, more="model_version_policy { specific { versions: 9 } }"))))
    request = status_request(version=9)
    (status,) = stubs.status(request, timeout=30).model_version_status
    assert (status.state, status.status.error_code) == (50, 5)


def test_every_state_is_reported(tmp_path, exports):
    for version in (1, 2, 3):
        publish(exports[1], tmp_path / "vae", version)
    seen = []

    def report():
        found = methods.get_model_status(status_request()).model_version_status
        seen.append([(one.version, STATES.Name(one.state)) for one in found])

    class Reporting:
        """A version that reports the states when it is unloaded."""

        def __init__(self):
            self.cycle = self  # collected as a loaded model is

        def batch_sizes(self):
            return Counter()

        def __del__(self):
            report()

    def load(name, version, path):
        report()
        if version == 1:
            raise ModelLoadError("it is broken", grpc.StatusCode.INTERNAL)
        return Reporting()

    models = Models(load)
    methods = Methods(models, lambda: None)
    models.configure(listed(entry(tmp_path / "vae", more="model_version_policy { all {} }")))
    report()
    models.configure(listed(entry(tmp_path / "vae")))
    models.configure(listed())
    report()
    assert seen == [
        [(3, "LOADING"), (2, "START"), (1, "START")],
        [(3, "AVAILABLE"), (2, "LOADING"), (1, "START")],
        [(3, "AVAILABLE"), (2, "AVAILABLE"), (1, "LOADING")],
        [(3, "AVAILABLE"), (2, "AVAILABLE"), (1, "END")],
        [(3, "AVAILABLE"), (2, "UNLOADING"), (1, "END")],
        [(3, "UNLOADING"), (2, "END"), (1, "END")],
        [(3, "END"), (2, "END"), (1, "END")],
    ]


def test_the_file_is_read_again_and_a_broken_one_survived(server, stubs, base_path, caplog):
    path = server.settings.model_config_file
    path.write_text("model_config_list { oops }")
    wait_for(lambda: "Error parsing text-format tensorflow.serving.ModelServerConfig: " in caplog.text)
    assert served(server) == {1, 2, 5}
    path.write_text(text_format.MessageToString(listed(entry(base_path))))
    wait_for(lambda: served(server) == {5})


def test_a_file_that_cannot_be_parsed_ends_the_start(tmp_path):
    config = tmp_path / "models.config"
    config.write_text("model_config_list { oops }")
    with pytest.raises(ValueError, match=r"^Error parsing text-format tensorflow\.serving\.ModelServerConfig: 1:"):
        serving.Server(model_config_file=config, port=0)


def test_at_the_start_an_older_version_stands_in_for_a_broken_one(base_path, caplog):
    (base_path / "9").mkdir()
    with serving.Server(model_name="vae", model_base_path=base_path, port=0) as server:
        assert served(server) == {5}
        (broken, *_) = server.models.statuses("vae")
        assert (broken.version, broken.state) == (9, 50)
        assert broken.status.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert f"cannot load the SavedModel in {base_path / '9'}" in caplog.text


def test_a_version_is_tried_again_so_often_and_no_more(tmp_path, exports):
    publish(exports[1], tmp_path / "vae", 1)
    attempts = []

    def load(version, path):
        attempts.append(version)
        if version == 2:
            raise ModelLoadError("no", grpc.StatusCode.INTERNAL)
        return object()

    model = ServedModel("vae", tmp_path / "vae", load, retries=Retries(most=2, interval=0))
    (tmp_path / "vae" / "2").mkdir()
    for _ in range(6):
        assert [str(problem) for problem in model.refresh()] == ["no"]
    assert attempts == [2, 1, 2, 2]
    (tmp_path / "vae" / "2" / "file").write_text("changed")
    model.refresh()
    assert attempts == [2, 1, 2, 2, 2]
