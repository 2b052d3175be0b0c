"""From a network and a video to the fastest runner that keeps the fidelity asked for."""
