"""GetModelMetadata and GetModelStatus."""

import grpc
import pytest
import tensorflow as tf
from serving_testing import SIGNATURES, metadata_request, refusal, status_request
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def test_metadata_is_the_saved_models_own(stubs, exports):
    response = stubs.metadata(metadata_request("signature_def"), timeout=30)
    assert (response.model_spec.name, response.model_spec.version.value) == ("vae", 5)
    signature_map = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signature_map)
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((exports[1] / "saved_model.pb").read_bytes())
    assert dict(signature_map.signature_def) == dict(saved_model.meta_graphs[0].signature_def)
    assert signature_map.signature_def.keys() >= {*SIGNATURES, "serving_default"}
    assert signature_map.signature_def["encode"].inputs["x"].dtype == tf.float32.as_datatype_enum


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ([], "GetModelMetadataRequest must specify at least one metadata_field"),
        (["nope"], "Metadata field nope is not supported"),
        (["signature_def", "nope"], "Metadata field nope is not supported"),
    ],
)
def test_metadata_fields_refused(stubs, fields, details):
    assert refusal(stubs.metadata, metadata_request(*fields)) == (INVALID, details)


def test_metadata_of_an_unknown_model(stubs):
    code, details = refusal(stubs.metadata, metadata_request("signature_def", model="nope"))
    assert (code, details) == (
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Latest(nope)",
    )


def test_missing_spec(stubs):
    for rpc, request in (
        (stubs.metadata, get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])),
        (stubs.status, get_model_status_pb2.GetModelStatusRequest()),
    ):
        assert refusal(rpc, request) == (INVALID, "Missing ModelSpec")


@pytest.mark.parametrize("version", [None, 5])
def test_status(stubs, version):
    (status,) = stubs.status(status_request(version=version), timeout=30).model_version_status
    assert status.version == 5
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert (status.status.error_code, status.status.error_message) == (0, "")


@pytest.mark.parametrize(
    ("request_", "details"),
    [
        (status_request("nope"), "Could not find any versions of model nope"),
        (status_request("nope", 5), "Could not find version 5 of model nope"),
        (status_request("vae", 9), "Could not find version 9 of model vae"),
        (status_request("vae", 0), "Could not find version 0 of model vae"),
    ],
)
def test_status_not_found(stubs, request_, details):
    assert refusal(stubs.status, request_) == (grpc.StatusCode.NOT_FOUND, details)
