"""TensorFlow Serving's messages for clients, made without TensorFlow.

Server and clients exchange bytes, so each may have classes of its own for a message. Those of a client are in a
descriptor pool of their own: it neither needs the packages tensorflow and tensorflow-serving-api nor gets in their way,
which put messages of the same names into the default pool. The server, which runs on TensorFlow, uses TensorFlow's.
"""

from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from .descriptors import FILES

_POOL = descriptor_pool.DescriptorPool()
for _file in FILES.values():
    _POOL.AddSerializedFile(_file)


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))


GetModelMetadataRequest = _message("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _message("tensorflow.serving.GetModelMetadataResponse")
GetModelStatusRequest = _message("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = _message("tensorflow.serving.GetModelStatusResponse")
ModelSpec = _message("tensorflow.serving.ModelSpec")
ModelVersionStatus = _message("tensorflow.serving.ModelVersionStatus")
PredictRequest = _message("tensorflow.serving.PredictRequest")
PredictResponse = _message("tensorflow.serving.PredictResponse")
SignatureDefMap = _message("tensorflow.serving.SignatureDefMap")
TensorProto = _message("tensorflow.TensorProto")

# Attributes `DT_FLOAT` and so on, and `Name(number)`.
DataType: Any = EnumTypeWrapper(_POOL.FindEnumTypeByName("tensorflow.DataType"))
