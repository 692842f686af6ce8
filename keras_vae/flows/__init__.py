"""Parts of normalising flows: masked and coupling networks, and invertible maps, one a file."""

from keras_vae.flows.coupling import Coupling
from keras_vae.flows.inverse_autoregressive import InverseAutoregressive
from keras_vae.flows.made import MADE
from keras_vae.flows.planar import Planar
from keras_vae.flows.soft_bound import soft_bound

__all__ = ["MADE", "Coupling", "InverseAutoregressive", "Planar", "soft_bound"]
