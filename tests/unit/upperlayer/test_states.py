"""PS3.8 Table 9-10, cell by cell. The table below was written down a second time, row by row as printed."""

from __future__ import annotations

import pytest

from fastdicom.upperlayer.states import IllegalEvent, transition

# Event: the 13 cells Sta1 ... Sta13 as "action/next", "-" where the table is blank.
TABLE_9_10 = {
    1: "AE-1/4 - - - - - - - - - - - -",
    2: "- - - AE-2/5 - - - - - - - - -",
    3: "- AA-1/13 AA-8/13 - AE-3/6 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-6/13",
    4: "- AA-1/13 AA-8/13 - AE-4/1 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-6/13",
    5: "AE-5/2 - - - - - - - - - - - -",
    6: "- AE-6/3|13 AA-8/13 - AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-7/13",
    7: "- - AE-7/6 - - - - - - - - - -",
    8: "- - AE-8/13 - - - - - - - - - -",
    9: "- - - - - DT-1/6 - AR-7/8 - - - - -",
    10: "- AA-1/13 AA-8/13 - AA-8/13 DT-2/6 AR-6/7 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-6/13",
    11: "- - - - - AR-1/7 - - - - - - -",
    12: "- AA-1/13 AA-8/13 - AA-8/13 AR-2/8 AR-8/9|10 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-6/13",
    13: "- AA-1/13 AA-8/13 - AA-8/13 AA-8/13 AR-3/1 AA-8/13 AA-8/13 AR-10/12 AR-3/1 AA-8/13 AA-6/13",
    14: "- - - - - - - AR-4/13 AR-9/11 - - AR-4/13 -",
    15: "- - AA-1/13 AA-2/1 AA-1/13 AA-1/13 AA-1/13 AA-1/13 AA-1/13 AA-1/13 AA-1/13 AA-1/13 -",
    16: "- AA-2/1 AA-3/1 - AA-3/1 AA-3/1 AA-3/1 AA-3/1 AA-3/1 AA-3/1 AA-3/1 AA-3/1 AA-2/1",
    17: "- AA-5/1 AA-4/1 AA-4/1 AA-4/1 AA-4/1 AA-4/1 AA-4/1 AA-4/1 AA-4/1 AA-4/1 AA-4/1 AR-5/1",
    18: "- AA-2/1 - - - - - - - - - - AA-2/1",
    19: "- AA-1/13 AA-8/13 - AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-7/13",
}
CELLS = [
    (event, state, cell)
    for event, row in TABLE_9_10.items()
    for state, cell in enumerate(row.split(), start=1)
]


def test_the_table_has_all_cells() -> None:
    assert len(CELLS) == 19 * 13


@pytest.mark.parametrize(("event", "state", "cell"), CELLS)
def test_cell(event: int, state: int, cell: str) -> None:
    if cell == "-":
        with pytest.raises(IllegalEvent):
            transition(state, event)
        return
    action, _, following = cell.partition("/")
    first, _, second = following.partition("|")
    assert transition(state, event) == (action, int(first))
    assert transition(state, event, second=True) == (action, int(second or first))
