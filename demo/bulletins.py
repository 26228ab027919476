"""The bulletins of the story, as files that officers send.

Two figures are public: the Lao News Agency reported them on 16 July 2025 from the first meeting of
the two prosecutors' offices. Everything else is invented; every header says that it is an exercise.
Lao and Khmer texts await a native reader.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from saphan_schemas.samples import sample, wish

FIGURES: Final = (("2024", "5,012", "final"), ("January to May 2025", "1,422", "provisional"))
"""Drug cases recorded: the only two public numbers."""
CANARIES: Final = (
    "methamphetamine tablets",
    "ຍຶດຢາບ້າ",
    "រឹបអូស",
    "SOMPHONE TUAYANG",
    "five months of 2025",
    "electronic_evidence",
)
"""Words that stand inside the seal and nowhere else."""


def write(name: str, path: Path, about: str | None = None) -> None:
    """Write a bulletin as an officer would keep it on disk.

    Args:
        name: of a sample, such as "drug_seizure".
        about: id of the bulletin that it answers or corrects, in hex.
    """
    value = wish(name) if about is None else wish(name, about)
    if name == "training_notice":
        value |= training()
        if about is not None:
            value["about"]["relations"] = [{"kind": "in_reply_to", "bulletin_id": about}]
    if name == "info_reply":
        later = datetime.now(UTC) + timedelta(days=3)
        value["body"]["delay"]["expected_at"] = later.strftime("%Y-%m-%dT%H:%M:%SZ")
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2), encoding="utf-8")


def training() -> dict[str, Any]:
    """The sample notice as kh.gpo would write it: its own course, in Phnom Penh."""
    content = sample("training_notice")
    about, body = content["about"], content["body"]
    about |= {
        "reference": "KH-GPO-2025-TR-0001",
        "originator": "KH-GPO",
        "local_time_zone": "Asia/Phnom_Penh",
        "source_language": "km",
        "summary": {
            "lo": "ການຝຶກອົບຮົມຮ່ວມ ຫ້າວັນ ຢູ່ພະນົມເປັນ.",
            "km": "វគ្គបណ្តុះបណ្តាលរួមរយៈពេលប្រាំថ្ងៃនៅភ្នំពេញ។",
            "en": "Five days of joint training in Phnom Penh, twelve seats for each side.",
        },
    }
    about["translations"][0]["lang"] = "lo"
    about["grading"]["graded_by"] = "KH-GPO"
    about["contact"] |= {"unit": {"en": "Coordination desk"}, "languages": ["km", "en"]}
    body |= {"organiser": "KH-GPO", "co_organisers": ["LA-OSPP"]}
    body["venue"] |= {
        "name": {"lo": "ພະນົມເປັນ", "km": "ភ្នំពេញ", "en": "Phnom Penh"},
        "country": "KH",
        "subdivision": "KH-12",
        "unlocode": "KHPNH",
    }
    return content


def monthly_return(number: int) -> dict[str, Any]:
    """An invented return that a case system pushes to its node by itself.

    Args:
        number: from 1; makes the reference and the figure.
    """
    content = sample("case_statistics")
    about, body = content["about"], content["body"]
    about["reference"] = f"LA-OSPP-2025-ST-{1000 + number}"
    body["cells"] = [body["cells"][1] | {"value": str(100 + number)}]
    body["totals_check"] = [{"measure": "cases", "value": str(100 + number)}]
    return {
        "to": ["kh.gpo"],
        "schema": "saphan/case_statistics/1",
        "exercise": True,
        "about": about,
        "body": body,
    }
