"""A style card of a head, stored in the head object; see scene/style_cards.py."""

import bpy

from ...client.wire import MAX_NAME, MAX_STYLE_AMOUNT, STYLE_AMOUNT


class LSF_PG_style(bpy.types.PropertyGroup):
    name: bpy.props.StringProperty(name="Name", description="Name of the style card", maxlen=MAX_NAME)
    amount: bpy.props.FloatProperty(
        name="Amount",
        description="How much of this style the next generated lines have. 0 is none, 1 as it was measured; "
        "several styles add up",
        default=STYLE_AMOUNT,
        min=0.0,
        max=MAX_STYLE_AMOUNT,
        subtype="FACTOR",
    )
    fields: bpy.props.StringProperty(options={"HIDDEN"})  # JSON, as in the file of a card, without the name
