"""The errors a client raises when a server refuses a request, cannot be reached, or cannot answer in parts."""

import grpc


class ServingError(Exception):
    """A request was not answered.

    Attributes:
        code: The gRPC status code.
        model: The model that was asked for.
        signature: The signature that was asked for; None for a question about the model itself.
        details: The server's own words.
        sent: The inputs that were sent, such as `x float32 [2,3]`; empty for a question about the model itself.
        expected: What the model's metadata says it takes; empty where that is not known.
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
        facts = [f"{name} {value}" for name, value in (("sent", self.sent), ("expected", self.expected)) if value]
        return f"{asked}: {self.code.name}: {self.details}" + (f" ({'; '.join(facts)})" if facts else "")


class VersionGoneError(ServingError):
    """The version that answered the first part of a call is no longer served, and the rest is not answered."""


class NotByRowsError(ValueError):
    """A part was not answered row by row, so the call cannot be divided."""
