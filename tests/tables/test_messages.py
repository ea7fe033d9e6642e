"""Lines that users see."""

import pytest

from skbn.tables.messages import listing, print_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mRED\x07", r"\x1b[31mRED\x07"),
        ("multi\nline\r\ttab", r"multi\nline\r\ttab"),
        ("\x9b31m \x7f \x00", r"\x9b31m \x7f \x00"),
        (
            "\N{RIGHT-TO-LEFT OVERRIDE}a\N{LINE SEPARATOR}\N{ZERO WIDTH SPACE}",
            r"\u202ea\u2028\u200b",
        ),
        ("\udc80", r"\udc80"),
    ],
)
def test_letters_that_steer_a_terminal_are_shown(text, shown, capsys):
    assert printable(text) == listing([text]) == shown
    assert printable(shown) == shown
    print_line(text)
    assert capsys.readouterr().out == shown + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "größe",
        "имя",
        "価格\N{IDEOGRAPHIC SPACE}",
        "नाम",
        "می\N{ZERO WIDTH NON-JOINER}خواهم",
        "e\u0301",
        "1\xa0234",
        "👩\N{ZERO WIDTH JOINER}🔬",
        "❤\N{VARIATION SELECTOR-16}",
        "🇩🇪",
        r"C:\new 'a'",
    ],
)
def test_letters_of_all_scripts_stay(text):
    assert printable(text) == text
