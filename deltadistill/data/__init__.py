"""A prepared data set, whatever it came from: manifest, frames and labels, and batches to train on."""
