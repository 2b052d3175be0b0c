"""What is measured: mIoU, temporal consistency, optical flow for it, latency."""
