"""Names of version 0.1 work, with a warning."""

import importlib
import inspect
import pkgutil

import keras
import numpy as np
import pytest

import keras_vae as kv
from keras_vae.utils.deprecation import renamed_argument


@pytest.mark.parametrize(
    ("package", "old", "new"),
    [
        (kv.families, "GreyLevels", "GrayLevels"),
        (kv.families, "DiscretisedLogisticMixture", "DiscretizedLogisticMixture"),
        (kv.estimators, "Reparametrised", "Reparameterized"),
        (kv.estimators, "DoublyReparametrised", "DoublyReparameterized"),
    ],
)
def test_an_old_class_name_warns_and_still_loads(package, old, new):
    with pytest.warns(DeprecationWarning, match=f"{old} is deprecated .* Use .*{new} instead"):
        assert getattr(package, old) is getattr(package, new)
    assert keras.saving.get_registered_object(f"keras_vae>{old}") is getattr(package, new)


def test_an_old_string_warns():
    with pytest.warns(DeprecationWarning, match="Use 'reparameterized' instead"):
        objective = kv.objectives.ELBO(estimator="reparametrised")
    assert type(objective.estimator) is kv.estimators.Reparameterized
    with pytest.warns(DeprecationWarning, match="Use 'gray_levels' instead"):
        model = kv.models.vae((4, 4, 1), likelihood="grey_levels", hidden=[4])
    assert type(model.observed_family) is kv.families.GrayLevels
    with pytest.warns(DeprecationWarning, match="Use 'gray' instead"):
        kv.data.load("mnist_5k", likelihood="normal", preprocess="grey")


def test_an_unknown_name_has_no_alias():
    with pytest.raises(AttributeError, match="has no attribute 'Gaussian'"):
        kv.families.Gaussian  # noqa: B018


class Dataless:
    """Stands for a result: its attributes alone are read."""

    amortization = np.array([1.5])
    amortization_errors = np.array([0.5])
    neighbors = 3


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        (kv.evaluation.InferenceGaps, "amortisation", "amortization"),
        (kv.evaluation.InferenceGaps, "amortisation_errors", "amortization_errors"),
        (kv.evaluation.Representation, "neighbours", "neighbors"),
        (kv.evaluation.SampleQuality, "neighbours", "neighbors"),
    ],
)
def test_an_old_attribute_warns(kind, old, new):
    with pytest.warns(DeprecationWarning, match=f"Dataless.{old} is deprecated .* Use Dataless.{new} instead"):
        assert getattr(kind, old).fget(Dataless()) is getattr(Dataless, new)
    assert new in kind.__dataclass_fields__ or isinstance(getattr(kind, new), property)
    assert old not in kind.__dataclass_fields__  # or JSON would hold it twice


def test_an_old_argument_warns():
    vae = kv.models.vae((4,), latent_size=2, hidden=[8])
    x, labels = np.eye(4, dtype="float32")[np.arange(40) % 4], np.arange(40) % 4
    with pytest.warns(DeprecationWarning, match="representation.neighbours=.* Use neighbors=... instead"):
        found = kv.evaluation.representation(vae, (x, labels), test=(x, labels), neighbours=3, verbose=False)
    assert found.neighbors == 3
    with (
        pytest.warns(DeprecationWarning, match="sample_quality.neighbours"),
        pytest.raises(ValueError, match="neighbors"),
    ):
        kv.evaluation.sample_quality(vae, x, held_out=x, features=None, neighbours=0)


def test_an_argument_under_both_names_is_refused():
    @renamed_argument("colour", "color")
    def draw(*, color):
        return color

    with (
        pytest.warns(DeprecationWarning, match="draw"),
        pytest.raises(TypeError, match="expected color or its old name colour, received both"),
    ):
        draw(colour="red", color="blue")
    with pytest.raises(TypeError, match="'hue'"):
        draw(hue="red")


def test_every_public_error_and_warning_is_exported():
    found = {}
    for module in pkgutil.walk_packages(kv.__path__, "keras_vae."):
        # The command line has no Python interface.
        if module.name.endswith("__main__") or module.name.startswith("keras_vae.cli"):
            continue
        for name, kind in vars(importlib.import_module(module.name)).items():
            public = inspect.isclass(kind) and issubclass(kind, Exception) and not name.startswith("_")
            if public and kind.__module__.startswith("keras_vae."):
                found[name] = kind
    for name, kind in found.items():
        package = importlib.import_module(".".join(kind.__module__.split(".")[:2]))
        homes = [home for home in (kv, package) if name in getattr(home, "__all__", ())]
        assert homes, f"{kind.__module__}.{name} is in no __all__"
        assert all(getattr(home, name) is kind for home in homes)
    assert {"NotFiniteError", "PosteriorCollapseWarning", "WorkerLostError", "ExportMismatchError"} <= set(found)


def test_a_warning_points_at_the_callers_line():
    for use in (lambda: kv.objectives.ELBO(estimator="reparametrised"), lambda: kv.families.GreyLevels):
        with pytest.warns(DeprecationWarning, match="is deprecated") as found:
            use()
        assert [warning.filename for warning in found] == [__file__]
