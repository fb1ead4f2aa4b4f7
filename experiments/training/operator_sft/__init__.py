"""Operator SFT on the model's own states: its drafts and workspaces, and what an exact teacher makes of them."""
