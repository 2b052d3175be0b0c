"""Delta networks as pure functions, and as folders of graphs that run without PyTorch."""
