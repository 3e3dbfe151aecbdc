"""Holds events against the schema of OCSF as its authors publish it.

Reads JSON Lines from standard input and prints what is wrong: unknown or missing attributes, values outside an
enumeration, wrong types, violated constraints. The schema comes with the package `pydantic-ocsf`, whose own models
let unknown attributes pass.
"""

import importlib.resources
import json
import sys

VERSION = "1.6.0"
SCHEMA = json.loads(
    importlib.resources.files("ocsf").joinpath(f"schemas/v{VERSION.replace('.', '_')}.json").read_text()
)
DICTIONARY = SCHEMA["dictionary"].get("attributes", SCHEMA["dictionary"])
SCALARS = {
    "string_t": str, "integer_t": int, "long_t": int, "boolean_t": bool, "timestamp_t": int, "ip_t": str, "port_t": int,
    "hostname_t": str, "uuid_t": str, "json_t": object, "object": dict, "object_t": dict, "username_t": str,
    "float_t": float, "resource_uid_t": str, "datetime_t": str, "url_t": str, "email_t": str,
}


def definition(kind, name):
    """The attributes and constraints of a class or an object, with all that it inherits."""
    own = SCHEMA[kind][name]
    parent = own.get("extends")
    attributes, constraints = ({}, {}) if parent in (None, name) else definition(kind, parent)
    for key, attribute in own.get("attributes", {}).items():
        if key != "$include":
            override = attribute if isinstance(attribute, dict) else {"requirement": attribute}
            known = {k: v for k, v in override.items() if v is not None}
            enum = {**attributes.get(key, {}).get("enum", {}), **known.get("enum", {})}
            attributes[key] = {**attributes.get(key, {}), **known, **({"enum": enum} if enum else {})}
    return attributes, {**constraints, **(own.get("constraints") or {})}


def check(kind, name, value, path):
    attributes, constraints = definition(kind, name)
    for key in value.keys() - attributes.keys():
        yield f"{path}.{key} is no attribute of {name}"
    for key, attribute in attributes.items():
        if attribute.get("requirement") == "required" and key not in value:
            yield f"{path}.{key} is missing"
    if "at_least_one" in constraints and not set(constraints["at_least_one"]) & value.keys():
        yield f"{path} has none of {constraints['at_least_one']}"
    if "just_one" in constraints and len(set(constraints["just_one"]) & value.keys()) != 1:
        yield f"{path} has not just one of {constraints['just_one']}"
    for key in value.keys() & attributes.keys():
        yield from check_value({**DICTIONARY.get(key, {}), **attributes[key]}, value[key], f"{path}.{key}")


def check_value(attribute, value, path):
    if attribute.get("is_array"):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for index, each in enumerate(value):
            yield from check_value({**attribute, "is_array": False}, each, f"{path}[{index}]")
        return
    enum = {**(DICTIONARY.get(path.rsplit(".")[-1].split("[")[0], {}).get("enum") or {}), **(attribute.get("enum") or {})}
    # The schema's authors fill these two in when they publish a class; `check_event` compares them.
    is_own = path.endswith((".class_uid", ".category_uid"))
    if enum and not is_own and str(value) not in enum:
        yield f"{path} is {value}, none of {sorted(enum)}"
    kind = attribute.get("type")
    if kind in SCALARS:
        expected = SCALARS[kind]
        is_number_as_bool = isinstance(value, bool) and expected is int
        if not isinstance(value, expected) or is_number_as_bool:
            yield f"{path} is no {kind}"
    elif kind in SCHEMA["objects"]:
        if kind != "object":
            yield from check("objects", kind, value, path)
    else:
        yield f"{path} has the type {kind}, which nothing defines"


def check_event(event):
    classes = {}
    for name, each in SCHEMA["events"].items():
        category = SCHEMA["categories_meta"]["attributes"].get(category_of(each), {})
        if each.get("uid") and category.get("uid"):
            classes[category["uid"] * 1000 + each["uid"]] = name
    name = classes.get(event.get("class_uid"))
    if name is None:
        yield f"class_uid {event.get('class_uid')} is no class"
        return
    yield from check("events", name, event, name)
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        yield "type_uid is not made of class and activity"
    if event["category_uid"] != event["class_uid"] // 1000:
        yield "category_uid is not that of the class"
    if event["metadata"]["version"] != VERSION:
        yield f"metadata.version is not {VERSION}"


def category_of(event):
    while event and not event.get("category"):
        event = SCHEMA["events"].get(event.get("extends"))
    return event["category"] if event else None


def main():
    count = 0
    for number, line in enumerate(sys.stdin, 1):
        count += 1
        for problem in check_event(json.loads(line)):
            print(f"line {number}: {problem}")
    print(f"{count} events")


main()
