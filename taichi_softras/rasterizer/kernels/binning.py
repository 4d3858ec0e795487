"""Which pixels a face can reach, and which faces a tile of pixels must look at.

Lists are counted, then laid out by a prefix sum, then filled: no cap on their length. Each is
sorted by face, so that images don't depend on the order in which threads ran.
"""
