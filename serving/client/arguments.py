"""What both clients' constructors take, checked; a client is pickled as these arguments."""

import math
import re
from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any, NamedTuple, TypeVar

import grpc

C = TypeVar("C")

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
# gRPC's own names of how to find a server, which come before the address itself.
_RESOLVERS = ("unix:", "unix-abstract:", "dns:", "ipv4:", "ipv6:", "vsock:", "xds:")
_PORT = re.compile(r":(\d+)$")


class Arguments(NamedTuple):
    """The arguments of `Client` and `AsyncClient`."""

    address: str
    model: str
    version: int | None
    version_label: str | None
    timeout: float
    credentials: grpc.ChannelCredentials | None
    max_message_bytes: int

    def check(self) -> None:
        """Checks the address and the timeout.

        Raises:
            ValueError: If the address is not one that gRPC can use, or the timeout is not a positive number.
        """
        _check_address(self.address)
        if not isinstance(self.timeout, Real) or not 0 < self.timeout < math.inf:
            raise ValueError(
                f"timeout: expected a positive number of seconds, received {self.timeout!r}. Use 10, for example."
            )

    def rebuild(self, client: type[C]) -> tuple[Callable[[], C], tuple[()]]:
        """Returns what `__reduce__` returns: a call of the class with these arguments.

        Raises:
            TypeError: If there are credentials, which gRPC cannot copy to another process.
        """
        if self.credentials is not None:
            raise TypeError(
                f"{client.__name__}: expected a client without credentials to pickle, received one with TLS "
                "credentials, which stay in their process. Make the client where it is used."
            )
        return partial(client, **self._asdict()), ()


def _check_address(address: Any) -> None:
    if not isinstance(address, str):
        raise ValueError(f"address: expected a host and port, received {address!r}. Use '127.0.0.1:8500', for example.")
    scheme = _SCHEME.match(address)
    if scheme is not None and not address.lower().startswith(_RESOLVERS):
        advice = f"Use {_bare(address)!r}"
        if scheme[1].lower() in ("http", "https"):
            advice += ", with the gRPC port (8500 by default; REST has 8501)"
        raise ValueError(f"address: expected a host and port without {scheme[0]}, received {address!r}. {advice}.")
    if address.startswith(_RESOLVERS):
        return
    host, _, port = address.rpartition(":")
    if ":" in host and not host.startswith("["):
        raise ValueError(
            f"address: expected an IPv6 address in brackets, received {address!r}. Use '[::1]:8500', for example."
        )
    if not host or host.endswith("]") != host.startswith("[") or not _PORT.search(address) or not 0 < int(port) < 2**16:
        raise ValueError(
            f"address: expected a host and port, received {address!r}. Use {_bare(address)!r}, for example."
        )


def _bare(address: str) -> str:
    """Returns the address with a host and a port, and nothing else."""
    rest = _SCHEME.sub("", address).split("/")[0]
    host = re.sub(r":[^:\]]*$", "", rest)
    port = _PORT.search(rest)
    return f"{host or '127.0.0.1'}:{port[1] if port and 0 < int(port[1]) < 2**16 and port[1] != '8501' else '8500'}"
