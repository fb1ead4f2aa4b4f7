"""What a workflow is worth: objectives, fronts, limits, racing, what is measured of it, at which load."""
