"""What medfed costs on this machine, next to what the same work costs bare: `python -m bench`."""
