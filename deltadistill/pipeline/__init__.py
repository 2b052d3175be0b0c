"""What surrounds the library in the pipeline: parameters, experiments, tracking, provenance."""
