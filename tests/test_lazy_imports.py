"""`import keras_vae` imports no TensorFlow, and Keras still finds every class of it."""

import json
import subprocess
import sys
import types
import zipfile

import keras
import numpy as np
import pytest

import keras_vae as kv
import serving

# What version 0.1 wrote in its files, by what is written now.
_OLD_NAMES = {
    '"module": "keras_vae.encoder_decoder"': '"module": "keras_vae.conditional"',
    '"module": "keras_vae.families.gray_levels"': '"module": "keras_vae.families.grey_levels"',
    '"class_name": "GrayLevels"': '"class_name": "GreyLevels"',
    '"registered_name": "keras_vae>GrayLevels"': '"registered_name": "keras_vae>GreyLevels"',
    '"module": "keras_vae.estimators.reparameterized"': '"module": "keras_vae.estimators.reparametrised"',
    '"class_name": "Reparameterized"': '"class_name": "Reparametrised"',
    '"registered_name": "keras_vae>Reparameterized"': '"registered_name": "keras_vae>Reparametrised"',
}


def _python(code, *words):
    result = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model's file, the same as version 0.1 wrote it, and its samples."""
    folder = tmp_path_factory.mktemp("files")
    model = kv.models.vae((4, 4, 1), likelihood="gray_levels", prior=kv.priors.RealNVP(2), latent_size=2, hidden=[4])
    model.save(folder / "new.keras")
    with zipfile.ZipFile(folder / "new.keras") as new, zipfile.ZipFile(folder / "old.keras", "w") as old:
        for name in new.namelist():
            content = new.read(name)
            if name == "config.json":
                text = content.decode()
                for now, then in _OLD_NAMES.items():
                    assert now in text
                    text = text.replace(now, then)
                content = json.dumps(json.loads(text)).encode()
            old.writestr(name, content)
    return folder, np.asarray(model.sample(3, seed=1))


def test_importing_the_package_imports_no_tensorflow():
    _python(
        "import sys, keras_vae as kv, keras_vae.models.catalog\n"
        "assert {'VAE', 'families', '__version__'} <= set(dir(kv))\n"
        "assert kv.training.RunConfig().latent_size == 20\n"
        "assert not {'tensorflow', 'keras', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "assert kv.training.strategy.make and kv.export.saved_model and kv.VAE\n"
    )


@pytest.mark.parametrize(
    "imports",
    [
        "import keras, keras_vae",
        # A process each, so these in `make stress`.
        pytest.param("import keras_vae, keras", marks=pytest.mark.stress),
        pytest.param("import keras; from keras_vae.vae import VAE", marks=pytest.mark.stress),
        pytest.param("from keras_vae.families import Normal; import keras", marks=pytest.mark.stress),
    ],
)
def test_keras_finds_every_class_in_a_fresh_process(files, imports, tmp_path):
    folder, samples = files
    code = (
        f"import sys, numpy as np; {imports}\n"
        "for name in ('new', 'old'):\n"
        "    model = keras.saving.load_model(f'{sys.argv[1]}/{name}.keras')\n"
        "    np.save(f'{sys.argv[2]}/{name}.npy', model.sample(3, seed=1))\n"
    )
    _python(code, str(folder), str(tmp_path))
    for name in ("new", "old"):
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), samples, rtol=1e-5)


def test_every_registered_class_has_a_stand_in():
    _python(
        "import keras_vae, keras, importlib, pkgutil\n"
        "known = keras.saving.get_custom_objects\n"
        "stand_ins = {name for name in known() if name.startswith('keras_vae>')}\n"
        "importlib.import_module('keras_vae.models.ready_made')\n"
        "left = [name for name in stand_ins if type(known()[name]).__name__ == '_StandIn']\n"
        "assert not left, left\n"
        "for found in pkgutil.walk_packages(keras_vae.__path__, 'keras_vae.'):\n"
        "    if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
        "missing = {name for name in known() if name.startswith('keras_vae>')} - stand_ins\n"
        "assert not missing, f'add to keras_vae._REGISTERED: {missing}'\n"
    )


def test_dir_shows_public_names_alone():
    packages = [part for name in kv.__all__ if isinstance(part := getattr(kv, name), types.ModuleType)]
    assert len(packages) == 15
    for package in (kv, *packages, serving):
        others = {name for name in dir(package) if not name.startswith("__")} - set(package.__all__)
        modules = {name for name in others if isinstance(getattr(package, name), types.ModuleType)}
        assert others == modules, package
        assert all(getattr(package, name).__name__.startswith(package.__name__) for name in modules), package
    assert {name for name in dir(kv) if not name.startswith("__")} == set(kv.__all__)


def test_every_public_name_can_be_imported():
    for package in (kv, kv.models, kv.training):
        assert all(getattr(package, name) is not None for name in package.__all__)
        assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="module 'keras_vae' has no attribute 'gpt'"):
        kv.gpt  # noqa: B018
    assert keras.saving.get_registered_object("keras_vae>VAE") is kv.VAE
