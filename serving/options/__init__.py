"""What can be set about a server: its flags, its configuration files, and the settings made of them."""
