"""The public names of `serving`: each can be imported, and every error is among them."""

import importlib
import pkgutil

import serving


def test_every_public_error_has_a_public_name():
    modules = [importlib.import_module(m.name) for m in pkgutil.walk_packages(serving.__path__, "serving.")]
    errors = {
        name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__.startswith("serving.")
    }
    assert errors == {
        "ConfigError",
        "ModelLoadError",
        "NotByRowsError",
        "RequestError",
        "ServingError",
        "VersionGoneError",
    }
    assert errors <= set(serving.__all__)
    assert sorted(serving.__all__) == sorted(serving._HOMES)
    assert all(getattr(serving, name).__name__ == name for name in serving.__all__)
