"""Lists of faults, short and long."""

import pytest

from deltadistill.data.faults import raise_faults


@pytest.mark.parametrize(
    ("count", "head", "tail"),
    [
        (1, "x has 1 fault:", "\n  0"),
        (2, "x has 2 faults:", "\n  1"),
        (30, "x has 30 faults:", "\n  29"),
        (31, "x has 31 faults:", "\n  29\n  and 1 more"),
        (75, "x has 75 faults:", "\n  29\n  and 45 more"),
    ],
)
def test_thirty_faults_are_shown_and_the_rest_is_counted(count, head, tail):
    with pytest.raises(ValueError, match="x has") as error:
        raise_faults("x", [str(number) for number in range(count)])
    said = str(error.value)
    assert said.startswith(f"{head}\n  0")
    assert said.endswith(tail)
    assert len(said.splitlines()) == 1 + min(count, 30) + (count > 30)


def test_nothing_wrong_is_no_error():
    raise_faults("x", [])
