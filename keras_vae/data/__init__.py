"""Images from TFDS, folders, `.npz` files, arrays or datasets, as `tf.data` in a likelihood's support."""

from keras_vae.data.examples import Examples, Factor
from keras_vae.data.packed_dataset import PackedDataset
from keras_vae.data.pipeline import epochs, load
from keras_vae.data.preprocess import PREPROCESSING
from keras_vae.data.read import read

__all__ = ["PREPROCESSING", "Examples", "Factor", "PackedDataset", "epochs", "load", "read"]
