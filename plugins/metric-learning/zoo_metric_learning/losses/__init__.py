"""Losses over the embeddings of a batch and their labels."""
