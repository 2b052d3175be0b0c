"""A prepared data set, whatever it came from: its manifest, its frames and labels, and batches to train on."""
