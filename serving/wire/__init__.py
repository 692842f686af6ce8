"""The wire format that server and client share: tensors, names and limits."""
