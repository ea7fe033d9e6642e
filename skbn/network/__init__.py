"""The numerical core: populations of batch-normalised softmax networks in NumPy."""
