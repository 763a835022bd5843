"""Makes the sample in examples/demo/sample/: 20,000 contacts, of which 288 cannot be imported.

The same every time. ``python -m examples.demo.contacts.sample`` writes it.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from random import Random

PATH = Path(__file__).parents[1] / "sample" / "contacts.csv"
ROWS, BAD = 20_000, 288

FIRST = """Anna Bob Celina Daniel Ewa Filip Grażyna Henryk Irena Jan Kasia Łukasz Maria Noah Olga
Piotr Roza Stefan Teresa Urszula Viktor Wanda Zofia Żaneta Émile Søren""".split()
LAST = """Nowak Kowalski Wiśniewska Dąbrowski Lewandowska Wójcik Kamińska Zieliński Szymańska Smith
Jones Brown Garcia Müller Schmidt Novák Horváth Jensen Dubois Rossi""".split()
CITIES = """Kraków Łódź Gdańsk Poznań Lublin Berlin Brno Lyon Turin Malmö""".split()
PLAIN = str.maketrans("ąćęłńóśźżÉéøüáŁŻńöñ", "acelnoszzEeouaLZnon")


def rows() -> list[list[str]]:
    """The header and ``ROWS`` rows."""
    random = Random(2026)
    good = [_contact(random, number) for number in range(ROWS)]
    for number, place in enumerate(sorted(random.sample(range(1, ROWS), BAD))):
        _spoil(good, place, number % 6)
    return [["name", "email", "city", "phone"], *good]


def _contact(random: Random, number: int) -> list[str]:
    first, last = random.choice(FIRST), random.choice(LAST)
    user = f"{last}{number}".translate(PLAIN).lower()
    phone = str(random.randrange(10**8, 10**9)) if random.random() < 0.3 else ""
    return [f"{first} {last}", f"{user}@example.com", random.choice(CITIES), phone]


def _spoil(contacts: list[list[str]], place: int, kind: int) -> None:
    row = contacts[place]
    if kind == 0:
        row[1] = row[1].replace("@", " at ")
    elif kind == 1:
        row[1] = ""
    elif kind == 2:
        row[0] = ""
    elif kind == 3:
        row[1] = contacts[0][1]
    elif kind == 4:
        row[1] = row[1].replace("example.com", "example")
    else:
        row.append("call back")


def text() -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows())
    return out.getvalue()


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text(), encoding="utf-8")
