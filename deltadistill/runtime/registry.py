"""The engines, by name, and how those that can tell the times of nodes are asked."""

from deltadistill.registry import Registry

ENGINES = Registry(
    "engine",
    {
        "onnxruntime": "deltadistill.runtime.onnxruntime_engine:ENGINE",
        "openvino": "deltadistill.runtime.openvino_engine:ENGINE",
        "compile": "deltadistill.runtime.torch_engines:COMPILE",
        "package": "deltadistill.runtime.torch_engines:PACKAGE",
        "eager": "deltadistill.runtime.torch_engines:EAGER",
    },
)

PROFILES = Registry(
    "profile",
    {
        "onnxruntime": "deltadistill.runtime.onnxruntime_profile:profile",
        "openvino": "deltadistill.runtime.openvino_profile:profile",
    },
)

# Motion of frames since their key frame (key_motion.py), by what it is found with.
MOTIONS = Registry("motion", {"flow": "deltadistill.runtime.key_motion:KeyMotion"})

# What answers frames that a runner does not compute (filling.py), by kind of between.py.
FILLERS = Registry(
    "way to answer frames",
    {
        "copied": "deltadistill.runtime.filling:Copying",
        "moved": "deltadistill.runtime.moving:Carrying",
    },
)
