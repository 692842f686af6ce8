"""How large a message, and a tensor written in short, may be."""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024

# One value may stand for a whole tensor on the wire. Such a tensor may not be larger than one that could
# have been sent in full, or a request of thirty bytes could claim all the memory there is.
MAX_FILLED_TENSOR_BYTES = MAX_MESSAGE_BYTES
