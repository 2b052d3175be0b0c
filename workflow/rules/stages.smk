"""One job per stage: DVC runs it, or finds that there is nothing to do."""

for stage in STAGES:

    rule:
        name:
            stage.rule
        input:
            [stamp(address) for address in stage.after],
        output:
            touch(stamp(stage.address)),
        params:
            address=stage.address,
        log:
            stage.log,
        benchmark:
            stage.benchmark
        threads: stage.threads
        resources:
            **stage.resources,
        # `run` and not `shell`, which would want a conda environment: pip and constraints.txt pin the software.
        run:
            shell("{sys.executable} -m workflow.run_stage {params.address} > {log} 2>&1")
