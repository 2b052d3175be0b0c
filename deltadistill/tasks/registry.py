"""The tasks, by the names that descriptions of data sets and params.yaml use."""

from deltadistill.registry import Registry

TASKS = Registry(
    "task",
    {
        "segmentation": "deltadistill.tasks.segmentation:Segmentation",
        "detection": "deltadistill.tasks.detection:Detection",
        "classification": "deltadistill.tasks.classification:Classification",
        "maps": "deltadistill.tasks.maps:Maps",
        "features": "deltadistill.tasks.features:Features",
        "denoising": "deltadistill.tasks.denoising:Denoising",
    },
)
