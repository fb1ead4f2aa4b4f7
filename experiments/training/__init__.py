"""Training a model with the operator it will be used with: PDR's rollouts, CISPO with an SFT term, TRL and verl."""
