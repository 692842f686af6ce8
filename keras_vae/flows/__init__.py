"""Parts of normalizing flows: masked and coupling networks, and invertible maps, one per file."""

from keras_vae.flows.base import soft_bound
from keras_vae.flows.coupling import Coupling
from keras_vae.flows.inverse_autoregressive import InverseAutoregressive
from keras_vae.flows.made import MADE
from keras_vae.flows.planar import Planar

__all__ = ["MADE", "Coupling", "InverseAutoregressive", "Planar", "soft_bound"]
