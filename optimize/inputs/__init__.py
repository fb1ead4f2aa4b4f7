"""What is measured and with what: problems cut in two, and the endpoint or the embedded reasoner."""
