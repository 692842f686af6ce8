"""Changes of what is served: refused lists, reloads, labels that move, versions that come and go.

Needs the folder of `prepare.py` on this machine (`--models`); what is changed is put back.
"""

import shutil
import time

import numpy as np
import pytest
from google.protobuf import text_format
from interchange_calls import (
    INVALID,
    NOT_FOUND,
    PRECONDITION,
    WEIGHTS,
    X,
    arrays,
    predict_request,
    refusal,
    status_request,
)
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2
from tensorflow_serving.config import model_server_config_pb2

State = get_model_status_pb2.ModelVersionStatus.State
PATIENCE = 60.0


def entry(path, name="vae", platform="tensorflow", more="model_version_policy { all {} }") -> str:
    return f'config {{ name: "{name}" base_path: "{path}" model_platform: "{platform}" {more} }}'


def labelled(version: int) -> str:
    return f'model_version_policy {{ all {{}} }} version_labels {{ key: "stable" value: {version} }}'


def reload_request(*entries: str) -> model_management_pb2.ReloadConfigRequest:
    text = f"model_config_list {{ {' '.join(entries)} }}"
    return model_management_pb2.ReloadConfigRequest(
        config=text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    )


def states(target, *versions: int, model: str = "vae") -> dict[int, str]:
    """Returns the states of those of the versions that were ever seen; the newest must come first."""
    found = target.model.GetModelStatus(status_request(model), timeout=60).model_version_status
    numbers = [one.version for one in found]
    assert numbers == sorted(numbers, reverse=True)
    return {one.version: State.Name(one.state) for one in found if one.version in versions}


def wait_for(found, wanted) -> None:
    """Polls: versions go, and are looked for, in the background."""
    deadline = time.monotonic() + PATIENCE
    while (value := found()) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    assert value == wanted


@pytest.fixture
def reload(target):
    """Replaces the list, and checks that it was taken; the list that was prepared is put back at the end."""
    if target.models is None:
        pytest.skip("no --models given")

    def send(request: model_management_pb2.ReloadConfigRequest) -> None:
        answer = target.model.HandleReloadConfigRequest(request, timeout=PATIENCE)
        assert answer.status.error_code == 0, answer.status.error_message

    yield send
    before = text_format.Parse(
        (target.models / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    send(model_management_pb2.ReloadConfigRequest(config=before))
    wait_for(lambda: states(target, 1, 2), {1: "AVAILABLE", 2: "AVAILABLE"})
    assert target.predict("encode", x=X).keys() == {"mean", "scale"}


def test_refused_lists_change_nothing(target, reload):
    path = target.models / "vae"
    for request, words in (
        (reload_request(entry("models/vae")), "absolute path"),
        (reload_request(entry(path), entry(path)), "Illegal to list model vae multiple times"),
        (reload_request(entry(path, platform="other")), "platform"),
        (model_management_pb2.ReloadConfigRequest(), "HandleReloadConfigRequest"),
    ):
        code, found = refusal(target.model.HandleReloadConfigRequest, request)
        assert code is INVALID
        assert words in found
        assert states(target, 1, 2) == {1: "AVAILABLE", 2: "AVAILABLE"}


def test_a_reload_replaces_the_whole_list(target, reload):
    reload(reload_request(entry(target.models / "vae", more="model_version_policy { specific { versions: 1 } }")))
    wait_for(lambda: states(target, 1, 2), {1: "AVAILABLE", 2: "END"})
    assert target.prediction.Predict(predict_request("encode", x=X), timeout=60).model_spec.version.value == 1
    code, words = refusal(target.prediction.Predict, predict_request("encode", version=2, x=X))
    assert (code, words) == (NOT_FOUND, "Servable not found for request: Specific(vae, 2)")
    wait_for(lambda: states(target, 7, model="animals"), {7: "END"})
    code, words = refusal(target.prediction.Predict, predict_request("sum", "animals"))
    assert (code, words) == (NOT_FOUND, "Servable not found for request: Latest(animals)")


def test_a_label_moves_to_a_version_that_is_loaded_only(target, reload):
    path = target.models / "vae"
    reload(reload_request(entry(path, more=labelled(2))))
    answer = target.prediction.Predict(predict_request("encode", label="stable", x=X), timeout=60)
    assert answer.model_spec.version.value == 2
    code, _ = refusal(target.model.HandleReloadConfigRequest, reload_request(entry(path, more=labelled(9))))
    assert code is PRECONDITION
    answer = target.prediction.Predict(predict_request("encode", label="stable", x=X), timeout=60)
    assert answer.model_spec.version.value == 2


def test_a_version_that_comes_and_goes(target, reload):
    path = target.models / "vae"
    reload(reload_request(entry(path, more="")))  # the latest only
    wait_for(lambda: states(target, 1, 2), {1: "END", 2: "AVAILABLE"})
    shutil.copytree(path / "1", path / "copying")
    try:
        (path / "copying").rename(path / "3")
        wait_for(lambda: states(target, 2, 3), {2: "END", 3: "AVAILABLE"})
        answer = target.prediction.Predict(predict_request("encode", x=X), timeout=60)
        assert answer.model_spec.version.value == 3
        np.testing.assert_allclose(arrays(answer)["mean"], X @ WEIGHTS, rtol=1e-5)
    finally:
        shutil.rmtree(path / "3")
    wait_for(lambda: states(target, 2, 3), {2: "AVAILABLE", 3: "END"})
    assert target.prediction.Predict(predict_request("encode", x=X), timeout=60).model_spec.version.value == 2
