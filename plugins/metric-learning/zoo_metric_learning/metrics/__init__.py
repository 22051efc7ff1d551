"""How well embeddings find what belongs together."""
