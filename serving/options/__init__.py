"""A server's options: command-line flags, configuration files, and the settings made from them."""
