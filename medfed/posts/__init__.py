"""Publish, receive, react to and read posts."""
