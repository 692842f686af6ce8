"""Names of version 0.1 work, with a warning."""

import keras
import pytest

import keras_vae as kv


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
