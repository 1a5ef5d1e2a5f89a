"""The network: trunk, branches and heads; a model's files; weights of other projects."""
