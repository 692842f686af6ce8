"""The error a client raises when the server refuses a request or cannot be reached."""

import grpc


class ServingError(Exception):
    """A request was not answered.

    Attributes:
        code: The gRPC status code.
        model: The model that was asked for.
        signature: The signature that was asked for; None for a question about the model itself.
        details: The server's own words.
    """

    def __init__(self, code: grpc.StatusCode, model: str, signature: str | None, details: str) -> None:
        super().__init__(code, model, signature, details)
        self.code = code
        self.model = model
        self.signature = signature
        self.details = details

    def __str__(self) -> str:
        asked = f"model {self.model!r}"
        if self.signature is not None:
            asked += f", signature {self.signature!r}"
        return f"{asked}: {self.code.name}: {self.details}"
