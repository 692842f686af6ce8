"""The wire format that server and client share: tensors, names and limits.

Imports in here are relative, and not of TensorFlow: the distribution keras-vae-client has this folder too.
"""
