"""The command line of the scripts: options become one typed request; mistakes become one line."""
