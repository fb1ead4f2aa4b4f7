"""What must not be shown: keys, tokens, passwords, however they are spelled, and the one scrubber for all output."""
