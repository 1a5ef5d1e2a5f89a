"""The network: trunk, branches, heads, and the files its weights are kept in."""
