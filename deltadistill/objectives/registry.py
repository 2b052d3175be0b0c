"""The objectives of a distillation, by the names that params.yaml uses."""

from deltadistill.registry import Registry

OBJECTIVES = Registry(
    "objective",
    {
        "attention_transfer": "deltadistill.objectives.attention_transfer:AttentionTransfer",
        "block_errors": "deltadistill.objectives.block_errors:BlockErrors",
        "calibrated_labels": "deltadistill.objectives.calibrated_labels:CalibratedLabels",
        "channel_entropy": "deltadistill.objectives.channel_entropy:ChannelEntropy",
        "collaboration": "deltadistill.objectives.collaboration:Collaboration",
        "consistent_queries": "deltadistill.objectives.consistent_queries:ConsistentQueries",
        "cooperative_masks": "deltadistill.objectives.cooperative_masks:CooperativeMasks",
        "discriminator": "deltadistill.objectives.discriminator:Discriminator",
        "dkd": "deltadistill.objectives.dkd:DKD",
        "exits": "deltadistill.objectives.exits:Exits",
        "feature_norm_direction": "deltadistill.objectives.feature_norm_direction:FeatureNormDirection",
        "fitnets": "deltadistill.objectives.fitnets:FitNets",
        "logits": "deltadistill.objectives.logits:Logits",
        "multi_granularity": "deltadistill.objectives.multi_granularity:MultiGranularity",
        "near_objects": "deltadistill.objectives.near_objects:NearObjects",
        "normalised_features": "deltadistill.objectives.normalised_features:NormalisedFeatures",
        "query_retrieval": "deltadistill.objectives.query_retrieval:QueryRetrieval",
        "residual_encoded": "deltadistill.objectives.residual_encoded:ResidualEncoded",
        "reviewkd": "deltadistill.objectives.reviewkd:ReviewKD",
        "simkd": "deltadistill.objectives.simkd:SimKD",
        "subclasses": "deltadistill.objectives.subclasses:Subclasses",
        "task_loss": "deltadistill.objectives.task_loss:TaskLoss",
        "teacher_average": "deltadistill.objectives.teacher_average:TeacherAverage",
        "teacher_output": "deltadistill.objectives.teacher_output:TeacherOutput",
        "token_width": "deltadistill.objectives.token_width:TokenWidth",
        "weight_change": "deltadistill.objectives.weight_change:WeightChange",
    },
)
