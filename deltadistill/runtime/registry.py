"""The engines, by name."""

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
