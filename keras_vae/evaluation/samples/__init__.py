"""How good samples are, in features learned on the same data."""
