"""The search for the best accuracy-latency trade-off: `python optimize/search.py --budget tokens=16k`."""
