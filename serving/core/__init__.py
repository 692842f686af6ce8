"""Models and their versions (found, loaded, run, retired), and the methods that answer requests with them."""
