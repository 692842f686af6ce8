"""What the encoder loses against the best posterior for each example."""
