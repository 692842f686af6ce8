"""Clients, on NumPy arrays, for a variational autoencoder served by TensorFlow Serving."""
