"""The oracle: what was promised, held against public logs and record packs alone.

`Ledger` keeps what people and case systems were told while faults were made; `judge` reads the
exported logs, the parties' record packs and heads that anybody kept, and names whatever is not as
promised. It asks no node and no store, and holds no key that opens anything.
"""

from support.oracle.findings import Fault, Finding
from support.oracle.judging import Exported, judge
from support.oracle.ledger import Ledger, Promised, read_ledgers

__all__ = ["Exported", "Fault", "Finding", "Ledger", "Promised", "judge", "read_ledgers"]
