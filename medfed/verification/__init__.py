"""Attestations: issue, revoke, verify, recognise, and the policy that decides."""
