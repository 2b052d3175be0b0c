"""The networks, by the names that params.yaml and network files use."""

from deltadistill.registry import Registry

MODELS = Registry(
    "model",
    {
        "ddrnet23_slim": "deltadistill.models.ddrnet:build_23_slim",
        "ddrnet23": "deltadistill.models.ddrnet:build_23",
        "ddrnet39": "deltadistill.models.ddrnet:build_39",
        "detr": "deltadistill.models.detr:build",
        "efficientdet_d0": "deltadistill.models.efficientdet:build_d0",
        "flow_scale": "deltadistill.models.flow_scale:build",
        "faster_rcnn_r101": "deltadistill.models.faster_rcnn:build_r101",
        "hrnet_w18_small": "deltadistill.models.hrnet:build_w18_small",
        "jitnet": "deltadistill.models.jitnet:build",
        "mobilenetv2_deeplab": "deltadistill.models.mobilenetv2_deeplab:build",
        "clip_tower": "deltadistill.models.clip_tower:build",
        "ddpm": "deltadistill.tasks.denoiser:build",
        "segmenter": "deltadistill.models.segmenter:build",
        "skip_gates": "deltadistill.blocks.skip_gates:build",
    },
)

SOURCES = Registry(
    "network source",
    {
        "table": "deltadistill.models.sources:from_table",
        "networks": "deltadistill.models.own:find",
        "file": "deltadistill.models.own:find_in_file",
        "module": "deltadistill.models.sources:from_module",
        "torchvision": "deltadistill.models.torchvision_networks:find",
        "timm": "deltadistill.models.timm_networks:find",
        "onnx": "deltadistill.models.onnx_networks:find",
    },
)

# How pictures go into the weights that a source's own networks are published with.
PICTURES = Registry(
    "source of pictures",
    {
        "torchvision": "deltadistill.models.torchvision_pictures:pictures_of",
        "timm": "deltadistill.models.timm_networks:pictures_of",
    },
)
