"""The policy in training as a server: batched sampling in this process, or a colocated vLLM, by HTTP as any other."""
