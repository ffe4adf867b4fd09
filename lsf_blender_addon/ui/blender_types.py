"""Types of Blender's API that operators and panels share, for the type checker."""

from typing import TYPE_CHECKING, Literal

import bpy

# What execute, invoke and modal return. Blender's stubs have no name for this type.
OperatorResult = set[Literal["RUNNING_MODAL", "CANCELLED", "FINISHED", "PASS_THROUGH", "INTERFACE"]]

# Bases of mixins. Blender registers only the classes that combine a mixin with its own Operator, Panel or UIList. The
# type checker sees the mixin as one of those, so that it knows `self.report` and `self.layout`.
if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems as IconItems

    OperatorMixin = bpy.types.Operator
    UIListMixin = bpy.types.UIList

    class PanelMixin(bpy.types.Panel):
        layout: bpy.types.UILayout  # the stubs call it optional; it is set while a panel is drawn
else:
    IconItems = str  # names of Blender's icons, which only the stubs list
    OperatorMixin = PanelMixin = UIListMixin = object
