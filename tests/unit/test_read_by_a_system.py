"""A reading by a case system is never shown as a person's."""

import pytest
from saphan.web.reading.happened import _proves, event_text
from saphan_schemas.messages import LANGUAGES


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_reading_by_a_system_is_no_officers(lang: str) -> None:
    assert event_text("read", lang, "system") != event_text("read", lang, None)
    assert _proves("read", "system", lang) != _proves("read", None, lang)
