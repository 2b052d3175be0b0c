"""Where videos come from, and what outputs of networks mean, by name."""

from deltadistill.registry import Registry

VIDEO_SOURCES = Registry(
    "video source",
    {
        "stored": "deltadistill.video.stored_source:StoredSource",
        "camera": "deltadistill.video.camera_source:open_camera",
        "address": "deltadistill.video.address_source:open_address",
    },
)

# What outputs of networks mean (decoders.py).
DECODERS = Registry(
    "decoder",
    {
        "labels": "deltadistill.video.decoders:labels",
        "boxes": "deltadistill.video.decoders:boxes",
        "map": "deltadistill.video.decoders:number_map",
        "classes": "deltadistill.video.decoders:classes",
        "tensors": "deltadistill.video.decoders:tensors",
    },
)
