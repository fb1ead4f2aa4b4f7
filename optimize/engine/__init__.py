"""The search at work: its command, where problems and models come from, its loop, its end."""
