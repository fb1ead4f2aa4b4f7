"""Faults of servers, tried one kind after the other: what was asked, what the server generated, what was booked."""
