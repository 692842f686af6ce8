"""The log: one line a request, and every line as JSON on demand."""

import json
import logging
import time
from typing import Any

from serving.core.observation import Observation

_log = logging.getLogger("serving.requests")


class JsonFormatter(logging.Formatter):
    """Formats each record as a JSON object on one line.

    The keys are `time` (UTC), `level`, `logger` and `message`, `exception` if there is one, and a request's fields.

    Example:
        >>> record = logging.makeLogRecord({"name": "serving", "levelname": "INFO", "msg": "hello", "created": 0.5})
        >>> JsonFormatter().format(record)
        '{"time": "1970-01-01T00:00:00.500Z", "level": "INFO", "logger": "serving", "message": "hello"}'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        milliseconds = int(record.created % 1 * 1000)
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{milliseconds:03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (fields := getattr(record, "request", None)) is not None:
            line |= {"message": "request", **fields}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_request(level: int, entrypoint: str, observation: Observation, model: str, signature: str) -> None:
    """Logs one line about a request, without its contents.

    Args:
        level: The level, as in `logging`.
        entrypoint: How it arrived: `GRPC` or `REST`.
        observation: What is known of it.
        model: The model's name as the client sent it.
        signature: The signature's name; empty for `serving_default`.
    """
    if not _log.isEnabledFor(level):
        return
    fields = {
        "request_id": observation.request_id,
        "entrypoint": entrypoint,
        "api": observation.api,
        "model": model,
        "signature": signature,
        "status": observation.code.name,
        "milliseconds": round(1000 * observation.seconds, 3),
    }
    if observation.http:
        fields["http"] = observation.http
    words = " ".join(f"{name}={value!r}" for name, value in fields.items())
    _log.log(level, "request %s", words, extra={"request": fields})
