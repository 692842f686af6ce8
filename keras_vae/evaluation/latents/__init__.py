"""What the latents hold: rate and distortion, disentanglement, representation."""
