"""Images and tables from TFDS, folders, files, arrays, DataFrames or datasets, as `tf.data`."""

from keras_vae.data.examples import Column, Examples, Factor, UnknownSplitError
from keras_vae.data.packed_dataset import PackedDataset
from keras_vae.data.pipeline import epochs, load
from keras_vae.data.preprocess import PREPROCESSING
from keras_vae.data.read import read

__all__ = [
    "PREPROCESSING",
    "Column",
    "Examples",
    "Factor",
    "PackedDataset",
    "UnknownSplitError",
    "epochs",
    "load",
    "read",
]
