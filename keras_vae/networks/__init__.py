"""Networks: ordinary Keras models, features in, features out, one per file."""

from keras_vae.networks.conv_decoder import ConvDecoder
from keras_vae.networks.conv_encoder import ConvEncoder
from keras_vae.networks.mlp import MLP

__all__ = ["MLP", "ConvDecoder", "ConvEncoder"]
