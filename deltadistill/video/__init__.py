"""Video in and out without torch: readers of every source, pictures for networks, drawing and writing."""
