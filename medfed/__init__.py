"""medfed: a federated, self-hostable ActivityPub server for medical communities."""

__version__ = "0.1.0"
