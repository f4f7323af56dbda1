"""Accounts, on both engines, through the use cases."""
