"""What delta frames cost, in any unit: MACs by the account, milliseconds by a measurement."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from torch import nn

from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.macs import MacTable
from deltadistill.blocks.candidates import CANDIDATES, UNCOMPRESSED
from deltadistill.blocks.delta_network import delta_blocks


@dataclass(frozen=True)
class CostTable:
    """What a delta frame costs: per block (uncompressed, compressed), and everything not converted.

    All in one unit of your choice, such as MACs or milliseconds measured on the device that matters.
    blocks: by the names that `found_architecture` lists. What a candidate adds to key frames belongs to
        its cost too, divided by the number of delta frames per key frame.
    teacher: cost of a key frame, the unit in which budgets are given.
    Raises ValueError for costs that are not two finite numbers of at least 0 per block, and for a teacher
    that costs nothing.
    """

    blocks: Mapping[str, tuple[float, float]]
    rest: float
    teacher: float

    def __post_init__(self) -> None:
        for name, pair in self.blocks.items():
            if len(pair) != 2 or not all(isfinite(cost) and cost >= 0 for cost in pair):
                raise ValueError(
                    f"costs of block {name!r} are {pair}; expected (uncompressed, compressed), at least 0"
                )
        if not (isfinite(self.rest) and self.rest >= 0):
            raise ValueError(f"the rest costs {self.rest}; expected a number of at least 0")
        if not (isfinite(self.teacher) and self.teacher > 0):
            raise ValueError(f"the teacher costs {self.teacher}; expected a number above 0")

    @property
    def cheapest(self) -> float:
        """Cost of a delta frame with the cheaper candidate everywhere."""
        return self.rest + sum(min(pair) for pair in self.blocks.values())

    def require_blocks_of(self, network: nn.Module) -> None:
        """Raise ValueError unless the table has exactly the network's blocks."""
        blocks = set(delta_blocks(network))
        if blocks != set(self.blocks):
            raise ValueError(
                "the cost table and the network's blocks differ: without a cost "
                f"{sorted(blocks - set(self.blocks))[:5]}, not in the network "
                f"{sorted(set(self.blocks) - blocks)[:5]}; name each block as found_architecture does"
            )

    def require_share(self, share: float) -> None:
        """Raise ValueError when no delta frame can cost as little as `share` of the teacher."""
        if self.cheapest > share * self.teacher:
            raise ValueError(
                f"a delta frame at {share:.3f} of the teacher is out of reach: with the cheaper candidate "
                f"everywhere it costs {self.cheapest / self.teacher:.3f}; allow more, or raise the students' "
                "reduction"
            )

    def require_target(self, target: AmortisedTarget) -> None:
        """Raise ValueError when even the cheapest network costs more per frame than `target`."""
        cheapest = self.cheapest / self.teacher
        if cheapest > target.delta_share:
            raise ValueError(
                f"cost {target.cost} at length {target.length} is out of reach: it leaves a delta frame "
                f"{target.delta_share:.3f} of the teacher's cost, and with the cheaper candidate everywhere "
                f"one costs {cheapest:.3f}, which is {target.cost_at(cheapest):.3f} per frame; allow more, "
                "or raise the students' reduction"
            )


def delta_cost(network: nn.Module, costs: CostTable) -> float:
    """Cost of a delta frame with every block's present choice, in the table's unit."""
    total = costs.rest
    for name, block in delta_blocks(network).items():
        uncompressed, compressed = costs.blocks[name]
        total += uncompressed if block.choice == UNCOMPRESSED else compressed
    return total


def macs_of_blocks(table: MacTable, *, length: int | None = None) -> CostTable:
    """Take the costs from a MAC account of the delta network.

    length: sequence length; then what a candidate adds to the key frame is spread over the delta frames.
        Without it that part, which only non-linear students have, is left out.
    """
    later_frames = length - 1 if length else None

    def cost(delta: int | None, key: int) -> float:
        assert delta is not None, "a converted block has both candidates until it is deployed"
        return delta + (key / later_frames if later_frames else 0)

    return CostTable(
        blocks={
            row.name: (
                cost(row.uncompressed_macs, row.uncompressed_key_macs),
                cost(row.compressed_macs, row.compressed_key_macs),
            )
            for row in table.rows
            if row.chosen in CANDIDATES
        },
        rest=sum(
            cost(row.delta_macs, row.rule_key_macs) for row in table.rows if row.chosen not in CANDIDATES
        ),
        teacher=table.teacher,
    )
