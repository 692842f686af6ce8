"""Models and their versions: found, loaded, run and retired."""
