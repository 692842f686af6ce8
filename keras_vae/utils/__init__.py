"""Helpers that know nothing of variational autoencoders: arguments, files, seeds, replicas."""
