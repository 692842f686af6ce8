"""Images as `tf.data` from TFDS, folders, `.npz` files, arrays or your datasets, fit for a likelihood."""

from keras_vae.data.examples import Examples, Factor
from keras_vae.data.packed_dataset import PackedDataset
from keras_vae.data.pipeline import epochs, load
from keras_vae.data.preprocess import PREPROCESSING
from keras_vae.data.read import read

__all__ = ["PREPROCESSING", "Examples", "Factor", "PackedDataset", "epochs", "load", "read"]
