"""What can be chosen: shapes of workflows, the space they make, steps in it, where suggestions come from."""
