"""The trainings of the pipeline, put together from the sections of params.yaml."""
