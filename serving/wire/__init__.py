"""What travels: tensors, messages and their limits, for the server and the client alike."""
