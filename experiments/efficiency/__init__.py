"""What the search saves: generated tokens to find the trade-off, against plain Optuna and against random search."""
