"""What surrounds the library in the pipeline: experiments, recipes of trainings, tracking, provenance."""
