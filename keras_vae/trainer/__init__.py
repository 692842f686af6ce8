"""The training loop behind `fit` and `evaluate`; README.md maps each file to the Keras method it replaces."""
