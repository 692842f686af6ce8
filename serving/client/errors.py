"""The errors a client raises when a server refuses a request, cannot be reached, or cannot answer in parts."""

import grpc

# These are about the server, not about the inputs: a pair of a sent and an expected shape would read like the reason.
_NOT_ABOUT_INPUTS = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)


class ServingError(Exception):
    """A server refused a request or could not be reached.

    Attributes:
        code: The gRPC status code.
        model: The model that was asked for.
        signature: The signature that was asked for; None for a request about the model itself.
        details: The server's message.
        sent: The inputs that were sent, such as `x float32 [2,3]`; empty for a request about the model itself.
        expected: The inputs that the model's metadata lists; empty if not known.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        model: str,
        signature: str | None,
        details: str,
        sent: str = "",
        expected: str = "",
    ) -> None:
        super().__init__(code, model, signature, details, sent, expected)
        self.code = code
        self.model = model
        self.signature = signature
        self.details = details
        self.sent = sent
        self.expected = expected

    def __str__(self) -> str:
        asked = f"model {self.model!r}"
        if self.signature is not None:
            asked += f", signature {self.signature!r}"
        pairs = () if self.code in _NOT_ABOUT_INPUTS else (("sent", self.sent), ("expected", self.expected))
        facts = [f"{name} {value}" for name, value in pairs if value]
        return f"{asked}: {self.code.name}: {self.details}" + (f" ({'; '.join(facts)})" if facts else "")


class VersionGoneError(ServingError):
    """The version that answered the first part of a call is no longer served, so the rest cannot be answered."""


class NotByRowsError(ValueError):
    """A part was not answered row by row, so the call cannot be divided."""
