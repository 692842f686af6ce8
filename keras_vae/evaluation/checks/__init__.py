"""Whether the model describes the data, and whether its posterior is calibrated."""
