"""Clients, on NumPy arrays, for a variational autoencoder served by TensorFlow Serving.

Imports in here are relative: the distribution keras-vae-client has this folder and `serving.wire` under its own name.
"""
