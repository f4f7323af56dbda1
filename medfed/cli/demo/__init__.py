"""A small federation on loopback for newcomers: a hospital, a society, and a clinic that nobody trusts yet."""
