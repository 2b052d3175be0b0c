"""Note which code every other stage runs: digests of the source files, one small file per stage and variant.

What a stage imports and what its parameters name (predictors, students, networks …) decides what it runs; the
stage depends on its file here, and not on the code itself. Another stage refuses to run code that is not as
noted.
"""

from deltadistill.pipeline import stage_arguments


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(__doc__, folder="folder for the files")
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline.code_of_stages import write_code

    write_code(parameters.load(args.params), args.folder)


if __name__ == "__main__":
    stage_arguments.run(main)
