"""The objectives of a distillation, by the names that params.yaml uses."""

from deltadistill.registry import Registry

OBJECTIVES = Registry(
    "objective",
    {
        "attention_transfer": "deltadistill.objectives.attention_transfer:AttentionTransfer",
        "block_errors": "deltadistill.objectives.block_errors:BlockErrors",
        "dkd": "deltadistill.objectives.dkd:DKD",
        "fitnets": "deltadistill.objectives.fitnets:FitNets",
        "logits": "deltadistill.objectives.logits:Logits",
        "near_objects": "deltadistill.objectives.near_objects:NearObjects",
        "residual_encoded": "deltadistill.objectives.residual_encoded:ResidualEncoded",
        "reviewkd": "deltadistill.objectives.reviewkd:ReviewKD",
        "simkd": "deltadistill.objectives.simkd:SimKD",
        "task_loss": "deltadistill.objectives.task_loss:TaskLoss",
        "teacher_output": "deltadistill.objectives.teacher_output:TeacherOutput",
    },
)
