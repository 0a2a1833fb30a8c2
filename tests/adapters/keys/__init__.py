"""The key tree: sealing, the root file, the store and the tree."""
