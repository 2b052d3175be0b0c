"""Generated street clips: a moving camera, dense labels, exact flow, boxes with identities."""
