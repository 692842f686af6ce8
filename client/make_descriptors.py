"""Writes serving/wire/descriptors.py: the messages of TensorFlow Serving that clients exchange with a server.

They are taken from the installed packages `tensorflow` and `tensorflow-serving-api`, so nothing is copied by hand. Run
`python client/make_descriptors.py` after a new release of these; a test compares the file with them.
"""

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

FILE = Path(__file__).parents[1] / "serving" / "wire" / "descriptors.py"

# What a client sends and receives; the messages that their fields refer to are added.
_ROOTS = (
    predict_pb2.PredictRequest,
    predict_pb2.PredictResponse,
    get_model_metadata_pb2.GetModelMetadataRequest,
    get_model_metadata_pb2.GetModelMetadataResponse,
    get_model_metadata_pb2.SignatureDefMap,
    get_model_status_pb2.GetModelStatusRequest,
    get_model_status_pb2.GetModelStatusResponse,
)
_HEADER = '''"""TensorFlow Serving's messages for clients: serialized `FileDescriptorProto`s by path.

Written by client/make_descriptors.py from the packages tensorflow and tensorflow-serving-api. Do not edit.
"""

'''
_LINE = 100


def files() -> dict[str, bytes]:
    """Returns the files with the needed messages alone, each after those it depends on."""
    needed: dict[str, Any] = {}
    for root in _ROOTS:
        _collect(root.DESCRIPTOR, needed)
    by_path: dict[str, list[Any]] = {}
    for found in needed.values():
        by_path.setdefault(found.file.name, []).append(found)
    order: list[str] = []
    for path in sorted(by_path):
        _put_in_order(path, by_path, order)
    return {path: _file(by_path[path], by_path) for path in order}


def _collect(found: Any, needed: dict[str, Any]) -> None:
    """Adds the outermost message or enum around this one, and all that it refers to."""
    while found.containing_type is not None:
        found = found.containing_type
    if found.full_name in needed:
        return
    needed[found.full_name] = found
    messages = [found] if hasattr(found, "fields") else []
    while messages:
        message = messages.pop()
        messages += message.nested_types
        for field in message.fields:
            if field.message_type or field.enum_type:
                _collect(field.message_type or field.enum_type, needed)


def _put_in_order(path: str, by_path: dict[str, list[Any]], order: list[str]) -> None:
    if path not in order:
        for other in _imports(by_path[path][0].file, by_path):
            _put_in_order(other, by_path, order)
        order.append(path)


def _imports(file: Any, by_path: dict[str, list[Any]]) -> list[str]:
    """Returns the needed files that a file imports, also through another one's `import public`."""
    paths: list[str] = []
    for imported in file.dependencies:
        paths += [imported.name] if imported.name in by_path else _imports(imported, by_path)
    return sorted(set(paths))


def _file(needed: list[Any], by_path: dict[str, list[Any]]) -> bytes:
    original = descriptor_pb2.FileDescriptorProto()
    needed[0].file.CopyToProto(original)
    names = {found.name for found in needed}
    kept = descriptor_pb2.FileDescriptorProto(
        name=original.name,
        package=original.package,
        syntax=original.syntax,
        dependency=_imports(needed[0].file, by_path),
        message_type=[message for message in original.message_type if message.name in names],
        enum_type=[enum for enum in original.enum_type if enum.name in names],
    )
    return kept.SerializeToString(deterministic=True)


def _literal(content: bytes) -> str:
    """Writes bytes as Python literals, one a line, in which names can be read."""
    lines = [""]
    for byte in content:
        plain = 32 <= byte < 127 and byte not in b'"\\'
        lines[-1] += chr(byte) if plain else f"\\x{byte:02x}"
        if len(lines[-1]) > _LINE:
            lines.append("")
    return "".join(f'        b"{line}"\n' for line in lines if line)


def main() -> None:
    """Writes the file."""
    entries = "".join(f'    "{path}": (\n{_literal(content)}    ),\n' for path, content in files().items())
    FILE.write_text(f"{_HEADER}FILES = {{\n{entries}}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
