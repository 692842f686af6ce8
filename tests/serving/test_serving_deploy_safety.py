"""Bundles from odd names and arguments, of broken exports, and onto what is there already."""

import itertools
import os
import re
import shutil

import kubernetes_validate
import pytest
import yaml
from deploy_testing import objects, write_base_path, write_export
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.deploy import bundle, fill_templates
from serving.options import config_files


@pytest.fixture(scope="module")
def base_path(tmp_path_factory):
    return write_base_path(tmp_path_factory.mktemp("models"))


def test_arguments(base_path, tmp_path):
    uri = "s3://bucket/a'\"\\#:{x}"
    folder = bundle(base_path, tmp_path / "b", version=2, name="zahlen.v2", image="r.io:5/tf@sha256:0", storage_uri=uri)
    (model,) = config_files.read_model_server_config(folder / "models.config").model_config_list.config
    assert (model.name, list(model.model_version_policy.specific.versions)) == ("zahlen.v2", [2])
    assert (folder / "models" / "zahlen.v2" / "2" / "saved_model.pb").is_file()
    predictor = yaml.safe_load((folder / "kserve" / "inferenceservice.yaml").read_text())["spec"]["predictor"]
    assert (predictor["model"]["storageUri"], predictor["model"]["image"]) == (uri, "r.io:5/tf@sha256:0")
    assert "Deployment/zahlen-v2" in objects(folder)


NASTY = ["", "a b", 'a"b', "a'b", "a\nb", "a/b", "..", "-a", "a:b", "$(x)", "${x}", "#a", "ä", "1a", "a-", "a" * 54]


@pytest.mark.parametrize("name", NASTY)
def test_refused_names(base_path, tmp_path, name):
    with pytest.raises(ValueError, match="name: expected"):
        bundle(base_path, tmp_path / "b", name=name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["no", "null", "True"])
def test_names_that_yaml_would_take_for_other_things(base_path, tmp_path, name):
    folder = bundle(base_path, tmp_path / "b", name=name)
    label = name.lower()
    assert {f"Deployment/{label}", f"Service/{label}", f"Service/{label}-pods"} <= objects(folder).keys()
    for document in objects(folder).values():
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    assert list(yaml.safe_load((folder / "docker-compose.yaml").read_text())["services"]) == [label]
    (image,) = yaml.safe_load((folder / "kustomization.yaml").read_text())["images"]
    assert image == {"name": label, "newName": label, "newTag": "10"}


COUNTER = itertools.count()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.one_of(st.text(max_size=8), st.from_regex(r"[A-Za-z0-9._~-]{1,8}", fullmatch=True)))
def test_any_name_is_refused_or_whole(base_path, tmp_path_factory, name):
    to = tmp_path_factory.getbasetemp() / f"named-{next(COUNTER)}"
    try:
        bundle(base_path, to, name=name)
    except ValueError:
        return
    (model,) = config_files.read_model_server_config(to / "models.config").model_config_list.config
    assert model.name == name
    assert (to / "models" / name / "10" / "saved_model.pb").is_file()
    label = yaml.safe_load((to / "kserve" / "inferenceservice.yaml").read_text())["metadata"]["name"]
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", label)
    assert f"Deployment/{label}" in objects(to)
    assert list(yaml.safe_load((to / "docker-compose.yaml").read_text())["services"]) == [label]
    shutil.rmtree(to)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"version": 3}, r"no version 3 under .*: expected one of 2, 10, received 3"),
        ({"max_batch_size": 0}, "max_batch_size: expected 1 or more rows, received 0"),
        ({"image": "a b"}, "image: expected .* received 'a b'"),
        ({"storage_uri": "models/digits"}, "storage_uri: expected .* received 'models/digits'"),
        ({"storage_uri": "s3://a\nb"}, "storage_uri: expected"),
    ],
)
def test_refused_arguments(base_path, tmp_path, arguments, message):
    with pytest.raises((ValueError, OSError), match=message):
        bundle(base_path, tmp_path / "b", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_refused_exports(tmp_path):
    with pytest.raises(FileNotFoundError, match="no base path"):
        bundle(tmp_path / "nope", tmp_path / "b")
    (tmp_path / "m" / "1").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"expected saved_model\.pb, which is missing"):
        bundle(tmp_path / "m", tmp_path / "b")
    with pytest.raises(FileNotFoundError, match="no version under"):
        bundle(tmp_path / "m" / "1", tmp_path / "b", name="m")
    (tmp_path / "m" / "1" / "saved_model.pb").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="expected a SavedModel"):
        bundle(tmp_path / "m", tmp_path / "b")
    (tmp_path / "m" / "1" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ValueError, match="expected a graph tagged 'serve', received none"):
        bundle(tmp_path / "m", tmp_path / "b")
    write_export(tmp_path / "dev", 1, tensorflow="2.22.0-dev20260101")
    with pytest.raises(ValueError, match="Pass an image"):
        bundle(tmp_path / "dev", tmp_path / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dev", "m"]


def test_overwrites_only_if_asked(base_path, tmp_path):
    folder = bundle(base_path, tmp_path / "b")
    with pytest.raises(FileExistsError, match="--overwrite"):
        bundle(base_path, folder, version=2)
    bundle(base_path, folder, version=2, overwrite=True)
    assert [p.name for p in (folder / "models" / "My_digits").iterdir()] == ["2"]
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileExistsError, match="which is neither"):
        bundle(base_path, tmp_path / "mine", overwrite=True)
    with pytest.raises(ValueError, match="outside the base path"):
        bundle(folder / "models" / "My_digits", folder, overwrite=True)
    with pytest.raises(ValueError, match="outside the base path"):
        bundle(base_path, base_path / "11")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "mine"]


def test_whole_or_nothing(base_path, tmp_path, monkeypatch):
    folder = bundle(base_path, tmp_path / "b", version=2)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(fill_templates, "filled_files", fail)
    for to in (tmp_path / "other", folder):
        with pytest.raises(OSError, match="disk full"):
            bundle(base_path, to, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_another_user_can_read_it(base_path, tmp_path):
    mask = os.umask(0o077)
    try:
        folder = bundle(base_path, tmp_path / "b")
    finally:
        os.umask(mask)
    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)
