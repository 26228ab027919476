"""What a schema cannot say: sums, orders, references; stated as data, run by small functions.

A rule is a map with `rule` (its kind), `each` (the places it looks at) and the paths and words of
its kind. Rules stand inside the type's digest, so both ends run the same ones. They run after the
schema has passed, and pass over a place that lacks what they compare (schemas/spec/content.md).
"""

from saphan_schemas.rules.checks import Rule
from saphan_schemas.rules.compiling import KINDS
from saphan_schemas.rules.running import RuleSet

__all__ = ["KINDS", "Rule", "RuleSet"]
