"""`tensorflow.Example`s of a request, as the one tensor a classify or regress signature takes."""

from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import input_pb2

from serving.core.request_error import invalid_argument


def to_tensor(examples: input_pb2.Input) -> tensor_pb2.TensorProto:
    """Serializes a request's examples.

    Args:
        examples: The examples, with or without a context: features that all of them share.

    Returns:
        A string tensor of shape [number of examples], each with the context's features besides its own.

    Raises:
        RequestError: If there are none.
    """
    kind = examples.WhichOneof("kind")
    entries = getattr(examples, kind).examples if kind else ()
    if not entries:
        raise invalid_argument("Input is empty.")
    # Messages merge when their bytes are joined; where both have a feature, the later one, the example's, holds.
    context = examples.example_list_with_context.context.SerializeToString()
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING)
    tensor.tensor_shape.dim.add(size=len(entries))
    tensor.string_val.extend(context + entry.SerializeToString() for entry in entries)
    return tensor
