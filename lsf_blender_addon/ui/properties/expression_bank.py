"""An expression that the artist has made for a head, stored in the head object; see scene/expression_bank.py."""

import bpy

from ...scene import expression_bank, expression_keys
from ...scene.own_properties import face_of


def _renamed(row: "LSF_PG_expression", _context: bpy.types.Context) -> None:
    """Change a name that is taken, empty or that of an emotion to one like it; keys keep their expression."""
    head = row.id_data
    assert isinstance(head, bpy.types.Object)
    others = [other.name for other in face_of(head).bank if other.number != row.number]
    usable = expression_bank.free_name(row.name, others)
    if usable != row.name:
        row.name = usable  # calls this again
        return
    old, row.last_name = row.last_name, usable
    if old and old != usable:
        expression_keys.renamed(head, old, usable)


class LSF_PG_expression(bpy.types.PropertyGroup):
    name: bpy.props.StringProperty(
        name="Name", description="Name of the expression, in the menus of emotions too", update=_renamed
    )
    last_name: bpy.props.StringProperty(options={"HIDDEN"})  # what the name is changed from
    number: bpy.props.IntProperty(options={"HIDDEN"})  # in this list; it stays for ever
    fields: bpy.props.StringProperty(options={"HIDDEN"})  # JSON, as in a file of expressions, without the name
