"""What `digest.py` computes digests of."""
