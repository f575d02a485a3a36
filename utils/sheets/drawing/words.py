"""Random words for labels: names, places, headings and phrases in several languages."""

from __future__ import annotations

from utils.sheets.drawing.draw import Kit

GENUS = (
    "Quercus Rosa Carex Aster Salix Viola Poa Ranunculus Euphorbia Solanum Ficus Acacia Silene Trifolium "
    "Geum Hieracium Psychotria Miconia Piper Begonia Adiantum Dryopteris Polypodium Cladonia Sphagnum "
    "Juncus Eugenia Croton Senecio Galium Veronica Astragalus Festuca Bromus Orchis Rubus Campanula "
    "Primula Gentiana"
).split()
EPITHET = (
    "vulgaris officinalis alba rubra montana palustris sylvatica arvensis maritima grandiflora "
    "parviflora latifolia angustifolia repens hirsuta glabra nigra lutea japonica canadensis virginiana "
    "alpina tomentosa spicata elegans perennis annua procumbens lanceolata cordata"
).split()
AUTHOR = (
    "L.|Mill.|(L.) Hook.|Willd.|DC.|Lam.|Benth.|(Sw.) Griseb.|A. Gray|Kunth|Michx.|Ledeb.|Ait. f.|Nees"
).split("|")
PERSON = (
    "J. Smith|A. B. Moore|M. Rossi|P. Lefèvre|K. Müller|И. Петров|H. Yamada|R. Díaz|T. Okafor|"
    "E. Lindgren|C. G. Ward|L. van Dijk|Н. Орлова|S. Kowalski|B. Oliveira|F. Novák"
).split("|")
PLACE = (
    "Santa Rosa|Mount Baldwin|Pine Creek|Val d'Aosta|Puerto Viejo|Ульяновск|Karlsruhe|Saint-Martin|"
    "Lake Erie|Kivu|Serra do Mar|Cedar Hill|Montpellier|Алтай|Upsala|Sierra Nevada|Ben Nevis|Rio Negro"
).split("|")
REGION = (
    "California|Ontario|Bahia|Toscana|Bayern|Московская обл.|Oaxaca|Natal|Queensland|Yunnan|Provence|"
    "Texas|Madagascar|Cuba|Nepal|Aragón"
).split("|")
COUNTRY = (
    "U.S.A.|Canada|Brasil|Italia|Deutschland|СССР|México|South Africa|Australia|China|France|Ελλάς"
).split("|")
INSTITUTION = (
    "University Herbarium|National Museum of Natural History|Botanical Garden|Herbarium of the Academy|"
    "Museo di Botanica|Herbier National|Botanisches Museum|Государственный университет|"
    "Instituto de Biología|State College Herbarium|Department of Agriculture|Jardin botanique|"
    "Naturhistoriska riksmuseet"
).split("|")
TITLE = (
    "PLANTS OF {r}|FLORA OF {r}|Herbarium of the {i}|HERBARIUM {p}|Flora von {r}|Plantes de {r}|"
    "FLORA DO {r}|Herbario {i}|{i}|Гербарий {r}|ERBARIO {p}|Plantae {r}enses exsiccatae|HERB. {p}|"
    "{c}: {r}"
).split("|")
PHRASE = (
    "open woods along stream|sandy soil near the shore|on limestone rocks|roadside, moist ground|"
    "abundant in pasture|shrub 2 m high, flowers white|herb, corolla yellow|tree 12 m, fruit red|"
    "en forêt dense humide|bord de route, sol argileux|trockene Wiesen, Kalk|an feuchten Stellen im Wald|"
    "luoghi erbosi e umidi|bosque de pino y encino|orilla del camino, suelo negro|"
    "mata ciliar, solo arenoso|во влажном лесу|на сухом склоне, у дороги|alt. 1200 m|elev. 340 ft|"
    "Lat. 43°12' N, Long. 71°30' W|UTM 17T 445 882|growing with Pinus and Betula|common, flowers lilac|"
    "petals pale pink, fading|in swamp, rare"
).split("|")
FIELD = (
    "Locality|Habitat|Collector|Date|No.|Det.|Family|Name|Altitude|Country|Remarks|Fundort|Standort|Leg.|"
    "Lieu|Récolteur|Località|Data|Raccoglitore|Localidad|Colector|Fecha|Местонахождение|Собрал|Определил|"
    "Nome vulgar|Common name|Elevation|Soil|Flowers"
).split("|")
MONTH = (
    "Jan. Feb. March April May June July Aug. Sept. Oct. Nov. Dec. I II III IV V VI VII VIII IX X XI XII "
    "Juin Août Mai luglio agosto junio enero"
).split()
STAMP = (
    "TYPE|HOLOTYPE|ISOTYPE|TYPUS|IMAGED|DATABASED|HERBARIUM|MAPPED|SCANNED|PHOTOGRAPHED|FLORA|GIFT OF|"
    "ACCESSION|DUPLICATE|No.|DATA CAPTURED"
).split("|")


def species(kit: Kit, author: bool = True) -> str:
    """A plant name such as "Quercus alba L."."""
    name = f"{kit.pick(GENUS)} {kit.pick(EPITHET)}"
    return f"{name} {kit.pick(AUTHOR)}" if author else name


def date(kit: Kit) -> str:
    """A date between 1820 and 2023, written in one of several ways."""
    day, year = kit.rng.integers(1, 31), kit.rng.integers(1820, 2024)
    return kit.pick((f"{day} {kit.pick(MONTH)} {year}", f"{kit.pick(MONTH)} {day}, {year}",
                     f"{day}.{kit.rng.integers(1, 13)}.{year}", f"{day:02d}/{kit.rng.integers(1, 13):02d}/{year}"))


def title(kit: Kit) -> str:
    """A heading for a label."""
    return kit.pick(TITLE).format(r=kit.pick(REGION), i=kit.pick(INSTITUTION), p=kit.pick(PERSON), c=kit.pick(COUNTRY))


def phrase(kit: Kit, words: int = 8) -> str:
    """A line of about `words` words on place and habitat."""
    parts: list[str] = []
    while sum(len(part.split()) for part in parts) < words:
        place = f"{kit.pick(PLACE)}, {kit.pick(REGION)}"
        distance = f"{kit.rng.integers(1, 30)} km from {kit.pick(PLACE)}"
        parts.append(kit.pick((kit.pick(PHRASE), place, distance), (5, 2, 1)))
    return ", ".join(parts)


def number(kit: Kit, digits: int = 6) -> str:
    """`digits` random digits."""
    return "".join(str(digit) for digit in kit.rng.integers(0, 10, digits))


def code(kit: Kit) -> str:
    """A catalogue number for a barcode, such as "BRX0012345": letters A to Z, then digits."""
    letters = "".join(chr(65 + letter) for letter in kit.rng.integers(0, 26, int(kit.rng.integers(0, 5))))
    return letters + number(kit, int(kit.rng.integers(6, 11)))
