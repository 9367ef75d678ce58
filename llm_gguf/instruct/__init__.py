"""Any instruct model reads requests: a few examples, and a grammar that lets it copy from the request only."""
