"""What is said of the processor that was measured."""

from deltadistill.account.machine import describe_machine, features, usable_cores


def test_the_machine_is_described_without_naming_it():
    machine = describe_machine()
    assert set(machine) == {
        *("processor", "architecture", "logical_cores", "usable_cores"),
        *("vector_instructions", "features", "system"),
    }
    assert 1 <= machine["usable_cores"] == usable_cores() <= machine["logical_cores"]


def test_the_instruction_sets_that_decide_are_found_among_a_processors_flags():
    x86 = "fpu sse avx avx2 avx512f avx512bw avx512_bf16 amx_bf16 amx_tile amx_int8 avx512_vnni"
    assert features(x86) == ["avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx", "amx_bf16", "amx_int8"]
    assert features("fp asimd evtstrm aes asimddp sve i8mm bf16") == [
        "neon",
        "dotprod",
        "i8mm",
        "bf16",
        "sve",
    ]
    assert features("") == []


def test_an_older_processor_is_not_taken_for_a_newer_one():
    assert features("avx2_like xavx512f avx") == []
