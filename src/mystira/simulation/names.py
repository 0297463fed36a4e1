"""Names of people who do not exist, in the scripts that real ones use, each with its ASCII spelling."""

from itertools import product
from typing import Final

_Spelled = tuple[tuple[str, str], ...]

_LATIN: Final[tuple[_Spelled, _Spelled]] = (
    (
        ("Amina", "amina"),
        ("Thabo", "thabo"),
        ("Zoë", "zoe"),
        ("José", "jose"),
        ("Siân", "sian"),
        ("Ngozi", "ngozi"),
        ("Łukasz", "lukasz"),
        ("Aoife", "aoife"),
        ("Ulrike", "ulrike"),
        ("Mia", "mia"),
        ("Jean-Luc", "jean-luc"),
        ("Trần", "tran"),
    ),
    (
        ("Okafor", "okafor"),
        ("van der Merwe", "vandermerwe"),
        ("Nuñez", "nunez"),
        ("O’Brien", "obrien"),
        ("Müller-Lüdenscheidt", "mueller-luedenscheidt"),
        ("Dlamini", "dlamini"),
        ("Wójcik", "wojcik"),
        ("Smith", "smith"),
        ("Þórsdóttir", "thorsdottir"),
        ("Nguyễn", "nguyen"),
    ),
)
_CYRILLIC: Final[tuple[_Spelled, _Spelled]] = (
    (("Ольга", "olga"), ("Юрій", "yurii"), ("Зоя", "zoya")),
    (("Ковальчук", "kovalchuk"), ("Йосипенко", "yosypenko")),
)
_GREEK: Final[tuple[_Spelled, _Spelled]] = (
    (("Ελένη", "eleni"), ("Νίκος", "nikos")),
    (("Παπαδοπούλου", "papadopoulou"), ("Οικονόμου", "oikonomou")),
)
_ARABIC: Final[tuple[_Spelled, _Spelled]] = (
    (("ليلى", "layla"), ("يوسف", "yusuf"), ("مريم", "maryam")),
    (("الحسن", "alhasan"), ("خوري", "khoury")),
)
_HEBREW: Final[tuple[_Spelled, _Spelled]] = (
    (("נועה", "noa"), ("איתן", "eitan")),
    (("לוי", "levi"), ("ברק", "barak")),
)
_DEVANAGARI: Final[tuple[_Spelled, _Spelled]] = (
    (("प्रिया", "priya"), ("अर्जुन", "arjun")),
    (("शर्मा", "sharma"), ("त्रिपाठी", "tripathi")),
)
_HAN: Final[tuple[_Spelled, _Spelled]] = (
    (("美咲", "misaki"), ("伟", "wei"), ("𠮷子", "yoshiko")),
    (("佐藤", "sato"), ("欧阳", "ouyang")),
)
_HANGUL: Final[tuple[_Spelled, _Spelled]] = (
    (("서연", "seoyeon"), ("민준", "minjun")),
    (("김", "kim"), ("남궁", "namgung")),
)

_SCRIPTS: Final = (_LATIN, _CYRILLIC, _GREEK, _ARABIC, _HEBREW, _DEVANAGARI, _HAN, _HANGUL)

PEOPLE: Final = tuple(
    (f"{given} {family}", f"{given_ascii}.{family_ascii}")
    for givens, families in _SCRIPTS
    for (given, given_ascii), (family, family_ascii) in product(givens, families)
)
"""Full name and local part of an e-mail address; about eight in ten are in Latin letters."""

GIVEN_NAMES: Final = tuple(given for givens, _ in _SCRIPTS for given, _ in givens)

EMOJI: Final = ("🦊", "👩🏽‍🚀", "🏳️‍🌈", "🐉✨", "🇿🇦")
"""More than one code point each, most of them: joined, coloured, paired."""
