"""Training with the operator on 8 to 64 GPUs by verl 0.9.1 (V1 trainer). Not run on GPUs: exercised on a CPU only.

What verl is given: an agent loop whose rollouts are runs of this library (`agent_loop`), and an advantage estimator
with a policy loss that together are the objective of `experiments.training.objective` (`policy_loss`). Everything else
(sampling by vLLM, FSDP, Ray, checkpoints) is verl's own; `qwen3-8b.yaml` says how it is set up.
"""
