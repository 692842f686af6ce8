"""Reflection: which services there are and what their messages look like."""

from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from serving.services.answering import UNPARSED, parser, unparsed


def reflection_handler(services: Sequence[str], threads: futures.Executor) -> grpc.GenericRpcHandler:
    """Returns what a gRPC server needs to serve reflection.

    Args:
        services: The names of the services described, besides reflection itself.
        threads: What answers; a client may keep one busy for as long as it likes.
    """
    request_type, response_type = reflection_pb2.ServerReflectionRequest, reflection_pb2.ServerReflectionResponse
    answers = reflection.ReflectionServicer((*services, reflection.SERVICE_NAME)).ServerReflectionInfo

    def reflect(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        return answers(_parsed(requests, context), context)

    reflect.experimental_thread_pool = threads  # type: ignore[attr-defined]
    handler = grpc.stream_stream_rpc_method_handler(
        reflect,
        request_deserializer=parser(request_type),
        response_serializer=response_type.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(reflection.SERVICE_NAME, {"ServerReflectionInfo": handler})


def _parsed(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
    for request in requests:
        if request is UNPARSED:
            error = unparsed(reflection_pb2.ServerReflectionRequest)
            context.abort(error.code, error.details)
        yield request
