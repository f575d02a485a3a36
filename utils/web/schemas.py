"""What the answers hold, as JSON Schema (2020-12, which OpenAPI 3.1 uses)."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """What SCHEMAS calls `name`."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(description: str, optional: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """An object with these properties and no others, all of them there but for those in `optional`."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "description": description, "required": required, "additionalProperties": False,
            "properties": properties}


def _list(items: Schema, description: str = "", length: int | None = None) -> Schema:
    lengths = {} if length is None else {"minItems": length, "maxItems": length}
    return {"type": "array", "items": items, **lengths, **({"description": description} if description else {})}


def _one(kind: str, description: str, **limits: Any) -> Schema:
    return {"type": kind, "description": description, **limits}


def _or_null(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


SHARE = {"minimum": 0, "maximum": 1}
HASH = {"pattern": "^[0-9a-f]{12}$"}
POINT = _list({"type": "number"}, "x and y in pixels.", 2)
NUMBER_OF_OBJECT = _one("integer", "Number of the object that it is on.", minimum=1)

SHEET = _object(
    "What was found on a sheet. Lengths are in pixels of the upright photograph, x to the right and y down from the "
    "upper left corner of the upper left pixel.",
    name=_one("string", "What the sender called the file, without folders."),
    height=_one("integer", "Of the upright photograph.", minimum=1),
    width=_one("integer", "Of the upright photograph.", minimum=1),
    format=_one("string", "Of the file.", enum=["JPEG", "PNG", "TIFF"]),
    sha256=_one("string", "Of the file, in hexadecimal.", pattern="^[0-9a-f]{64}$"),
    model=ref("ModelName"),
    objects=_list(ref("Object"), "Sorted by class, then from top to bottom. Specimens come last."),
    barcodes=_list(ref("Barcode"), "All that were read."),
    px_per_cm=_or_null(_one("number", "The resolution; null: no ruler could be measured.", exclusiveMinimum=0)),
    scale=_or_null(ref("Scale")),
    charts=_list(ref("Chart"), "One for each colour chart."),
    photograph=_or_null(ref("Photograph")),
    problems=_list(ref("SheetProblem"), "What a person should look at. None: the sheet is fine."),
    seconds=_one("number", "How long the work took, without waiting.", minimum=0),
)
MODEL_NAME = _object(
    "The model that found it.",
    id=_one("string", "The first 12 digits of the SHA-256 of its file.", **HASH),
    name=_one("string", "Of the network."), backbone=_one("string", "Of the network."),
    detector=_or_null(_one("string", "The id of the network that finds specimens; null: there is none.", **HASH)),
)
OBJECT = _object(
    "A connected group of pixels of one class. Or a specimen: a box, which is all that its lengths and its area tell.",
    ("crop",),
    number=_one("integer", "From 1.", minimum=1),
    **{"class": _one("string", "Name of its class.")},
    class_index=_or_null(_one("integer", "Number of its class: the value of its pixels in the mask; null: it is a "
                              "specimen, which is not in the mask.", minimum=1, maximum=255)),
    confidence=_or_null(_one("number", "Mean probability of its pixels, or score of its box; null: not known.",
                             **SHARE)),
    box=_object("The upright box around it.", left=_one("integer", "x of the first column.", minimum=0),
                top=_one("integer", "y of the first row.", minimum=0), width=_one("integer", "Columns.", minimum=1),
                height=_one("integer", "Rows.", minimum=1)),
    area=_one("integer", "Number of its pixels.", minimum=1),
    centroid=_object("The mean of its pixels' centres, less half a pixel.", x={"type": "number"}, y={"type": "number"}),
    rectangle=_object("The smallest rectangle around it, which may be turned.", x=_one("number", "Of the centre."),
                      y=_one("number", "Of the centre."), width={"type": "number"}, height={"type": "number"},
                      angle=_one("number", "Degrees that it is turned clockwise, above -45 and up to 45.")),
    polygon=_list(POINT, "Its outer outline, along the edges of its pixels, simplified."),
    touches_border=_one("boolean", "Whether it reaches the border of the photograph."),
    turn=_one("integer", "Quarter turns clockwise that make its text or bars upright.", minimum=0, maximum=3),
    barcodes=_list({"type": "integer", "minimum": 0}, "Positions in the sheet's barcodes, from 0, of those on it."),
    crop=_one("string", "In a package: the file of the object cut out."),
)
BARCODE = _object(
    "A barcode that was read.",
    text=_one("string", "What it says. Never run or follow it unchecked."),
    symbology=_one("string", "Its kind, such as Code 128."),
    corners=_list(POINT, "As it is read: top left, top right, bottom right, bottom left.", 4),
    read_by=_one("string", "The try that read it, in words."),
    object=_or_null(NUMBER_OF_OBJECT),
)
SCALE = _object(
    "The resolution, measured on a ruler.",
    px_per_cm=_one("number", "Pixels per centimetre.", exclusiveMinimum=0),
    uncertainty_percent=_one("number", "Two standard deviations.", minimum=0),
    unit=_one("string", "Of the ruler.", enum=["cm", "mm", "inch"]),
    kind=_one("string", "What was counted on it.", enum=["ticks", "blocks"]),
    start=POINT, end=POINT, object=_or_null(NUMBER_OF_OBJECT),
)
CHART = _object(
    "The colours of a colour chart.",
    object=NUMBER_OF_OBJECT,
    patches=_list(_list({"type": "number"}, "", 3), "CIELAB (D50) of each patch, the lightest first."),
    clipped_light=_one("number", "Share of its pixels that are overexposed.", **SHARE),
    clipped_dark=_one("number", "Share of its pixels that are underexposed.", **SHARE),
    cast=_or_null(_list({"type": "number"}, "Mean a* and b* of the grey patches; null: there are too few.", 2)),
)
PHOTOGRAPH = _object(
    "What the pixels say of the photograph as a whole.",
    sharpness=_one("number", "Where there is most detail.", **SHARE),
    dark=_one("number", "Share of nearly black pixels.", **SHARE),
    light=_one("number", "Share of nearly white pixels.", **SHARE),
    brightness=_or_null(_one("number", "Median lightness of the paper, CIELAB L*.")),
    entropy=_or_null(_one("number", "How unsure the network is over the whole sheet.", **SHARE)),
    paper=_one("number", "Share that looks like paper.", **SHARE),
    objects=_one("number", "Share that objects cover.", **SHARE),
    turned=_one("integer", "Degrees clockwise by which the sheet lies turned.", enum=[0, 90, 180, 270]),
)
SHEET_PROBLEM = _object(
    "Something that a person should look at.",
    kind=_one("string", "A word that programs know, such as no_scale or blurred.", pattern="^[a-z0-9_]+$"),
    text=_one("string", "A sentence."),
)
CLASSES = _object("The classes of the masks.", classes=_list(ref("Class"), "Background first."))
CLASS = _object(
    "A class.", index=_one("integer", "The value of its pixels in a mask.", minimum=0, maximum=255),
    name=_one("string", "As in the objects."),
    color=_one("string", "That it is drawn in.", pattern="^#[0-9a-f]{6}$"),
)
NETWORK = {
    **{name: MODEL_NAME["properties"][name] for name in ("id", "name", "backbone")},
    "classes": _list({"type": "string"}, "Names, background first; a detector has no background."),
    "input_shape": _list({"type": "integer"}, "Height and width that photographs are scaled to fit into.", 2),
    "min_confidence": _one("number", "Objects with a lower confidence are left out.", **SHARE),
    "device": _one("string", "What it runs on: cpu, cuda, mps."),
}
MODEL = _object("The model.", **NETWORK, detector=_or_null(ref("Detector")))
DETECTOR = _object("The network that finds specimens.", **NETWORK)
HEALTH = _object("Whether the server works.", status=_one("string", "What it does.", enum=["ok", "stopping"]),
                 model=_one("string", "The id of its model."))
PROBLEM = _object(
    "An error, as RFC 9457 describes it.",
    type=_one("string", "Always about:blank."), title=_one("string", "The name of the status."),
    status=_one("integer", "Of the answer.", minimum=400, maximum=599),
    detail=_one("string", "One sentence: what is wrong, and what to do."),
)
LABELME = {
    "type": "object", "description": "A file of the program labelme, without the pixels.",
    "required": ["version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"],
    "properties": {"shapes": {"type": "array"}, "imageData": {"type": "null"}, "imagePath": {"type": "string"}},
}

SCHEMAS: dict[str, Schema] = {
    "Sheet": SHEET, "ModelName": MODEL_NAME, "Object": OBJECT, "Barcode": BARCODE, "Scale": SCALE, "Chart": CHART,
    "Photograph": PHOTOGRAPH, "SheetProblem": SHEET_PROBLEM, "Classes": CLASSES, "Class": CLASS, "Model": MODEL,
    "Detector": DETECTOR, "Health": HEALTH, "Problem": PROBLEM, "Labelme": LABELME,
}
