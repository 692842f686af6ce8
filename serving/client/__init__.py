"""Clients, on NumPy arrays, for a variational autoencoder behind TensorFlow Serving."""
