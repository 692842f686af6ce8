"""Tables: CSV files and pandas DataFrames."""

import datetime
import re
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae import data


def people(n=200):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "height": rng.normal(170.0, 10.0, n),
            "children": rng.poisson(1.0, n),
            "smokes": rng.random(n) < 0.3,
            "city": rng.choice(["Ulm", "Bonn", "Kiel"], n),
            "floor": rng.integers(-1, 4, n),
        }
    )


KINDS = {"height": "real", "children": "count", "smokes": "binary", "city": "category", "floor": "real"}


def by_hand(frame):
    one_hot = np.stack([frame["city"] == city for city in ("Bonn", "Kiel", "Ulm")], axis=1)
    numbers = [frame[name].to_numpy()[:, None] for name in ("height", "children", "smokes")]
    return np.concatenate([*numbers, one_hot, frame["floor"].to_numpy()[:, None]], axis=1).astype(np.float32)


def written(path, frame_or_text, name="people.csv"):
    if isinstance(frame_or_text, str):
        (path / name).write_text(frame_or_text, encoding="utf-8")
    else:
        frame_or_text.to_csv(path / name, index=False)
    return path / name


def test_each_column_by_its_kind(tmp_path):
    frame = people()
    for source in (frame, written(tmp_path, frame), str(tmp_path / "people.csv")):
        found = data.read(source, "all")
        np.testing.assert_allclose(found.images, by_hand(frame), rtol=1e-6)
        assert found.images.dtype == np.float32
        assert {column.name: column.kind for column in found.columns} == KINDS
        assert [(c.start, c.stop) for c in found.columns] == [(0, 1), (1, 2), (2, 3), (3, 6), (6, 7)]
        assert found.columns[3].vocabulary == ("Bonn", "Kiel", "Ulm")
    # pandas's own one-hot columns are the outside witness.
    dummies = pd.get_dummies(frame["city"]).to_numpy(np.float32)
    np.testing.assert_array_equal(found.images[:, 3:6], dummies)


def test_pandas_categories_keep_their_order_and_unseen_members():
    sizes = pd.Categorical(["M", "S", "M"], categories=["S", "M", "L"])
    found = data.read(pd.DataFrame({"size": sizes, "zip": pd.Series([10115, 80331, 10115]).astype("category")}))
    assert found.columns[0].vocabulary == ("S", "M", "L")
    assert found.columns[1].vocabulary == (10115, 80331)
    assert found.images.tolist() == [[0, 1, 0, 1, 0], [1, 0, 0, 0, 1], [0, 1, 0, 1, 0]]


def test_nullable_object_and_arrow_dtypes():
    frame = pd.DataFrame(
        {
            "a": pd.array([1, 2], "Int64"),
            "b": pd.array([True, False], "boolean"),
            "c": pd.Series([1.5, 2], dtype=object),
            "d": pd.Series([True, False], dtype=object),
            "e": pd.array(["x", "y"], "string"),
        }
    )
    found = data.read(frame)
    assert [c.kind for c in found.columns] == ["count", "binary", "real", "binary", "category"]
    assert found.images.tolist() == [[1, 1, 1.5, 1, 1, 0], [2, 0, 2, 0, 0, 1]]


def test_splits_of_a_file_are_disjoint_stable_and_agree_on_the_columns(tmp_path):
    frame = people(2000)
    path = written(tmp_path, frame)
    train, test, everything = (data.read(path, split) for split in ("train", "test", "all"))
    assert train.columns == test.columns == everything.columns
    assert len(train) + len(test) == len(everything) == 2000
    assert 150 < len(test) < 250
    rows = {row.tobytes() for row in everything.images}
    assert {row.tobytes() for row in train.images} | {row.tobytes() for row in test.images} == rows
    shorter = data.read(written(tmp_path, frame.iloc[:1000], "shorter.csv"), "test")
    np.testing.assert_array_equal(shorter.images, test.images[: len(shorter)])  # rows keep their split


def test_another_table_is_read_with_the_same_columns(tmp_path):
    train, new = people(), people().iloc[:5][["city", "floor", "smokes", "height", "children"]]
    new["city"] = "Kiel"
    columns = data.load(train).columns
    found = data.read(new, columns=columns)
    np.testing.assert_allclose(found.images, by_hand(new), rtol=1e-6)
    assert data.read(written(tmp_path, new), "all", columns=columns).columns == columns
    for change, message in (
        (lambda f: f.assign(city="Rome"), "'city': expected one of its 3 categories 'Bonn', 'Kiel', 'Ulm', .*'Rome'"),
        (lambda f: f.assign(children=0.5), "'children': expected counts, integers from 0, received 0.5 in data row 1"),
        (lambda f: f.assign(smokes=2), "column 'smokes': expected false or true, 0 or 1, received 2"),
        (lambda f: f.assign(height="tall"), "column 'height': expected finite numbers, received 'tall'"),
        (lambda f: f.drop(columns="floor"), "expected the columns 'height', .*, received no 'floor'."),
        (lambda f: f.assign(extra=1), "received also 'extra'."),
    ):
        with pytest.raises(ValueError, match=message):
            data.read(change(new), columns=columns)
    with pytest.raises(ValueError, match="columns: expected None except for tables"):
        data.read(np.zeros([2, 4, 4], np.uint8), columns=columns)


def test_batches_of_a_table(tmp_path):
    path = written(tmp_path, people())
    loaded = data.load(path, batch_size=50, seed=1)
    assert isinstance(loaded, data.PackedDataset)
    assert loaded.take(1).columns == loaded.columns == data.read(path).columns
    first, second = (np.concatenate(list(loaded.as_numpy_iterator())) for _ in range(2))
    assert first.dtype == np.float32
    rows = data.read(path).images
    assert not np.array_equal(first, second)
    for found in (first, second):
        np.testing.assert_array_equal(found[np.lexsort(found.T)], rows[np.lexsort(rows.T)])
    endless, steps = data.epochs(path, batch_size=50, seed=1)
    np.testing.assert_array_equal(next(endless.as_numpy_iterator()), first[:50])
    assert steps == len(loaded)
    test = data.load(path, "test")
    np.testing.assert_array_equal(next(test.as_numpy_iterator()), data.read(path, "test").images)
    with pytest.raises(ValueError, match=r"column 'height' of .*people.csv.*'normal', received one over binary data"):
        data.load(path, likelihood="bernoulli")
    with pytest.raises(ValueError, match=r"preprocess: expected None for a table, received 'gray'\. Standardize"):
        data.load(path, preprocess="gray")
    with pytest.raises(ValueError, match="with_labels=True: expected images with labels, received the table"):
        data.load(path, with_labels=True)


def test_float64_is_kept_under_that_policy():
    frame = pd.DataFrame({"time": 1.7e9 + np.arange(10.0)})
    with pytest.raises(ValueError, match="column 'time': expected numbers that float32 can tell apart, received 17000"):
        data.read(frame)
    keras.config.set_dtype_policy("float64")
    try:
        loaded = data.load(frame, shuffle=False)
        np.testing.assert_array_equal(next(loaded.as_numpy_iterator())[:, 0], frame["time"])
    finally:
        keras.config.set_dtype_policy("float32")
    constant = data.read(pd.DataFrame({"a": [0.1, 0.1], "b": [1.0, 2.0]}))  # rounding a constant loses nothing
    assert constant.images[:, 0].tolist() == [np.float32(0.1)] * 2


def test_a_table_trains_standardized():
    train = data.load(people(), batch_size=50)
    width = train.columns[-1].stop
    likelihood = kv.families.Standardized(kv.families.Normal(width, scale="learned")).adapt(train)
    vae = kv.models.vae((width,), latent_size=2, hidden=[8], likelihood=likelihood, seed=0)
    vae.compile("adam")
    with warnings.catch_warnings():
        warnings.simplefilter("error", kv.UnscaledDataWarning)
        assert np.isfinite(vae.fit(train, epochs=1, verbose=0).history["loss"]).all()
    means = np.asarray(vae.sample(50, seed=0))
    assert 140 < means[:, 0].mean() < 200
    assert tf.reduce_all(tf.math.is_finite(vae.score(by_hand(people())[:3], seeds=[1, 2, 3])))


H = "a,b\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a header with the columns' names, received an empty line"),
        ("\n1,2\n", "expected a header with the columns' names, received an empty line"),
        (H, "expected rows below the header, received none"),
        ("a;b\n1;2\n", r"separated by commas, received one column named 'a;b'.*sep=';'"),
        ("a\tb\n1\t2\n", r"separated by commas, received one column named 'a\\tb'.*sep='\\t'"),
        ("1.5,2\n3,4\n", "expected a header .*, received the numbers 1.5, 2"),
        ("a,a\n1,2\n", "expected each column's name once, received 'a' more than once"),
        (",a\n0,1\n", "expected a name for each column, received none for column 1, as pandas writes an index"),
        (H + "1,2\n1,2,3\n", r"as many values in each line as in the header, .*Expected 2 fields in line 3, saw 3"),
        (H + "1,2,3\n1,2,3\n", "as many values in each line as in the header, 2, received more"),
        (H + '1,"2\n', "received another one .*EOF inside string"),
        (H + "1,\n2,3\n,\n", "a value in each cell, received 3 missing cells: 1 in 'a', 2 in 'b'.*dropna.*fillna"),
        (H + "1,2\n1\n", "received 1 missing cell: 1 in 'b'"),
        (H + "1,NA\n2,null\n", "received 2 missing cells: 2 in 'b'"),
        (H + "1,2\nabc,2\n3,4\n", "'a': expected numbers, as in most of its cells, received 'abc' in data row 2. Corr"),
        (H + "1,2\nabc,2\n3,4\n5,6\nx,7\n", "received 'abc' in data row 2 and 1 more"),
        (H + "1,2\ninf,2\n-inf,2\n", "'a': expected finite numbers, received inf in data row 2, 2 such cells"),
        (H + "2020-01-31,2\n2021-01-01,3\n", "'a': .* received dates, such as '2020-01-31'. Convert the column"),
        (H + "31/12/2020,2\n01/01/2021,3\n", "'a': .* received dates, such as '31/12/2020'"),
        (H + "".join(f"name{i},{i}\n" for i in range(30)), "'a': .*30 different values in 30 rows, such as 'name0'"),
        (H + "".join(f"c{i % 1001},0\n" for i in range(2002)), "at most 1,000, received 1,001 different values"),
    ],
)
def test_files_that_are_refused(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: .*{message}") as caught:
        data.read(path, "all")
    assert "\n" not in str(caught.value)
    assert re.search(r"\. [A-Z][^.]* [^.]*", str(caught.value))  # it ends with what to do


def test_other_encodings_splits_and_places(tmp_path):
    (tmp_path / "latin.csv").write_bytes("a,b\nMünchen,1\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin.csv: expected text in UTF-8, received invalid .* at byte \d+\. Save"):
        data.read(tmp_path / "latin.csv")
    (tmp_path / "bom.csv").write_bytes("a,b\nMünchen,1\n".encode("utf-8-sig"))
    assert data.read(tmp_path / "bom.csv", "all").columns[0].name == "a"
    with pytest.raises(ValueError, match="expected a split, 'train', 'test', 'all', received 'validation'"):
        data.read(tmp_path / "bom.csv", "validation")
    with pytest.raises(ValueError, match="expected rows for split 'test', received none among 1"):
        data.read(tmp_path / "bom.csv", "test")
    with pytest.raises(FileNotFoundError, match=r"expected a \.csv file, received '.*nowhere.csv', which does not"):
        data.read("nowhere.csv")
    with pytest.raises(ValueError, match="image_size: expected None except for folders"):
        data.read(tmp_path / "bom.csv", image_size=(2, 2))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame(), "expected rows and columns, received shape .0, 0."),
        (pd.DataFrame({"a": []}), "expected rows and columns, received shape .0, 1."),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "each column's name once, received 'a' more than once"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "each column's name once, received '1' more than once"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "one name per column, received 2 lev"),
        (pd.DataFrame({"a": [1.0, None, np.nan]}), "received 2 missing cells: 2 in 'a'"),
        (pd.DataFrame({"a": pd.Categorical(["x", None])}), "received 1 missing cell: 1 in 'a'"),
        (pd.DataFrame({"a": pd.array([1, None], "Int64")}), "received 1 missing cell: 1 in 'a'"),
        (pd.DataFrame({"a": [True, None]}), "received 1 missing cell: 1 in 'a'"),
        (
            pd.DataFrame({"a": [1, "x", 2]}),
            "'a': expected numbers, as in most of its cells, received 'x' in data row 2",
        ),
        (pd.DataFrame({"a": [pd.Timestamp("2020-01-01")]}), "column 'a': expected numbers or text, received dates"),
        (pd.DataFrame({"a": [datetime.date(2020, 1, 1)]}), "expected numbers or text, received datetime.date"),
        (pd.DataFrame({"a": [pd.Timedelta("1D")]}), "expected numbers or text, received Timedelta"),
        (pd.DataFrame({"a": [[1], [2]]}), r"expected numbers or text, received \[1\]"),
        (pd.DataFrame({"a": [np.ones(3), np.ones(3)]}), r"expected numbers or text, received array\("),
        (pd.DataFrame({"a": [1 + 2j]}), "expected numbers or text, received .*1.*2j"),
        (
            pd.DataFrame({"a": [1.0, np.inf]}),
            "'a': expected finite numbers, received inf in data row 2, 1 such cell in",
        ),
    ],
)
def test_frames_that_are_refused(frame, message):
    with pytest.raises(ValueError, match=f"^The DataFrame: .*{message}") as caught:
        data.read(frame)
    assert "\n" not in str(caught.value)


def test_a_series_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"a pandas DataFrame, received 0 0 1 1 .*int64, a Series\. Use one") as caught:
        data.read(pd.Series(range(100)))
    assert "\n" not in str(caught.value)
