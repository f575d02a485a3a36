"""Words for Chinese, Japanese, Korean and Russian labels and letterheads.

The bundled font holds exactly the signs of SIGNS; `glyphs/README.md` says how it was made.
"""

from __future__ import annotations

from typing import NamedTuple

from utils.sheets.drawing.draw import Kit


class Script(NamedTuple):
    """The words of one language, separated by "|" in the tables below.

    Attributes:
        institutions: names of herbaria, for headings.
        fields: field names of forms.
        places: of collection.
        phrases: on habitat and plant.
        names: of collectors and plants.
        date: a pattern for year, month and day.
    """

    institutions: tuple[str, ...]
    fields: tuple[str, ...]
    places: tuple[str, ...]
    phrases: tuple[str, ...]
    names: tuple[str, ...]
    date: str


def script(institutions: str, fields: str, places: str, phrases: str, names: str, date: str) -> Script:
    """A Script of words that are separated by "|"."""
    return Script(*(tuple(words.split("|")) for words in (institutions, fields, places, phrases, names)), date)


CHINESE = script(
    "中国科学院植物研究所标本馆|植物标本室|华南植物园|国家植物标本馆|云南大学生物系|昆明植物研究所|林业科学研究院|"
    "四川农业大学|自然博物馆|高等植物标本|中山大学植物标本室",
    "采集号|采集人|采集日期|产地|海拔|生境|性状|科名|学名|中名|鉴定人|附记|花|果|叶|树皮|标本号|用途|登记号",
    "云南省昆明市西山|四川省峨眉山|广东省鼎湖山|湖北神农架|江西庐山|西藏林芝县|海南岛|福建武夷山|台湾南投",
    "山坡林下|路旁草地|溪边石上|阔叶林中|灌木丛|常见|少见|花白色|花黄色|果红色|多年生草本|小乔木|土壤湿润|水沟边",
    "王文采|李建国|张明|陈国平|刘玉兰|黄成|毛茛科|蔷薇科|菊科|豆科|兰科|蕨类|杜鹃|木兰|银杏|石松",
    "{}年{}月{}日")
JAPANESE = script(
    "東京大学植物標本室|国立科学博物館|京都大学理学部|牧野標本館|日本植物標本|東北大学植物園|植物研究室",
    "採集地|採集者|採集年月日|和名|学名|科名|標高|同定者|備考|番号|生育地",
    "北海道札幌市|長野県木曽郡|屋久島|富士山|高知県|沖縄県西表島|日光",
    "林道沿い|湿った岩の上|落葉広葉樹林|草地|花は白い|海岸の砂地|川のほとり",
    "山田太郎|田中一郎|鈴木|佐藤|キク科|ラン科|スミレ|ヤマザクラ|ススキ|シダ|アザミ",
    "{}年{}月{}日")
KOREAN = script(
    "국립수목원 산림생물표본관|서울대학교 식물표본실|국립생물자원관|식물표본|강원대학교 생물학과|"
    "한국자생식물연구소|한라수목원",
    "채집지|채집자|채집일|학명|국명|과명|해발|동정자|비고|표본번호|생육지",
    "강원도 평창군 오대산|제주도 한라산|경기도 포천시 광릉|전라남도 지리산|울릉도|경상북도 주왕산",
    "계곡 주변 습한 곳|길가 풀밭|활엽수림 아래|바위 위|꽃은 흰색|여러해살이풀|바닷가 모래땅",
    "김철수|이영희|박민수|정은주|국화과|장미과|난초과|미나리아재비|제비꽃|진달래|소나무|고사리",
    "{}년 {}월 {}일")
RUSSIAN = script(
    "Гербарий Главного ботанического сада|ГЕРБАРИЙ МОСКОВСКОГО УНИВЕРСИТЕТА|Ботанический институт им. Комарова|"
    "Академия наук СССР|Флора Сибири|HERBARIUM ROSSICUM|Кафедра высших растений|Растения Кавказа|"
    "Центральный сибирский ботанический сад|Гербарий им. П. Н. Крылова|Флора Средней Азии",
    "Местонахождение|Местообитание|Собрал|Определил|Дата|Семейство|Вид|Высота|№|Область|Район|Примечание",
    "Московская обл., Серпуховский р-н|Алтайский край, Чемальский р-н|Карелия, побережье Белого моря|"
    "Приморский край, бухта Витязь|Крым, Ялта|Якутия, долина р. Лены|Дагестан, Гунибское плато",
    "во влажном лесу|на сухом склоне, у дороги|березняк разнотравный|пойменный луг|каменистые осыпи|"
    "сосновый бор, опушка|берег ручья|сырой луг у болота|ельник-зеленомошник",
    "И. Петров|Н. Орлова|А. К. Скворцов|В. Тихомиров|Лютик едкий|Осока|Ива козья|Розоцветные|Астровые|Бобовые",
    "{2}.{1}.{0} г.")
SCRIPTS = (CHINESE, JAPANESE, KOREAN, RUSSIAN)
SHARES = (4, 2, 3, 3)
SIGNS = "".join(sorted({sign for each in SCRIPTS for words in each for sign in "".join(words) if ord(sign) > 0x1100}))


def random_script(kit: Kit) -> Script:
    """The words of one of the four languages."""
    return kit.pick(SCRIPTS, SHARES)


def date(kit: Kit, script: Script) -> str:
    """A date between 1930 and 2023 in that language's way."""
    return script.date.format(*(int(kit.rng.integers(*ends)) for ends in ((1930, 2024), (1, 13), (1, 29))))


def line(kit: Kit, script: Script) -> str:
    """The value of a field: a place, a phrase, a name or a date."""
    return kit.pick((kit.pick(script.places), kit.pick(script.phrases), kit.pick(script.names), date(kit, script)))
