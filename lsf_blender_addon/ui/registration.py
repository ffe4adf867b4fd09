"""Registers the classes, properties, menu entries, handlers and translations of the add-on with Blender."""

from collections.abc import Callable
from typing import Any

import bpy

from ..animation import action_cache, override_settings
from ..jobs import checkup, environment, face_cache, session
from ..jobs import self_test as engine_test
from ..preview import mouth_graph, playback
from ..scene import emotion_control, empty_keys, expression_keys
from . import preferences, scene_files, translations
from .operators import (
    add_expression,
    add_expression_from_action,
    add_expression_from_recording,
    add_from_picture,
    add_head,
    add_layer,
    add_mapping_row,
    add_missing_keys,
    add_nearby_parts,
    add_parts,
    add_speech,
    allow_online_access,
    cancel,
    cancel_environment,
    change_sound,
    check_character,
    clear_bones,
    clear_cache,
    copy_expressions,
    copy_report,
    cut_mouth,
    demo_line,
    draw_transitions,
    edit_landmarks,
    edit_line,
    export_character,
    export_curves,
    export_manifest,
    extend_scene,
    fill_mapping,
    find_landmarks,
    follow_strip,
    generate,
    generate_all,
    generate_line,
    generate_takes,
    hide_check,
    import_batch_results,
    import_live_link,
    import_recording,
    install_text_encoder,
    install_transcripts,
    install_transformers,
    keep_take,
    key_lines,
    list_lines,
    listen,
    load_expressions,
    load_mapping,
    make_environment,
    make_lines_local,
    make_style,
    open_log,
    override_mesh,
    pick_sound,
    playblast,
    preview,
    read_direction,
    recognise_bones,
    release_keys,
    remove_all_lines,
    remove_expression,
    remove_head_motion,
    remove_line,
    remove_mapping_row,
    remove_part,
    reset_landmarks,
    reset_tweaks,
    save_expressions,
    save_mapping,
    self_test,
    set_bones,
    set_part,
    share_head,
    show_bones,
    show_mouth_graph,
    show_sounds,
    step_take,
    style_card_files,
    take_over_lines,
    unmute_keys,
    unpin_key,
    use_relative_keys,
    widen_sliders,
)
from .panels import (
    batch,
    bones,
    channels,
    emotion,
    emotion_icons,
    exchange,
    expression_bank,
    face,
    keys,
    layers,
    lines,
    main,
    own_keys,
    parts,
    sounds,
    style,
    take,
    tweak,
    watch,
)
from .properties import batch as batch_properties
from .properties import bones as bone_properties
from .properties import emotion as emotion_properties
from .properties import expression_bank as expression_properties
from .properties import face as face_properties
from .properties import layers as layer_properties
from .properties import lines as line_properties
from .properties import settings
from .properties import sounds as sound_properties
from .properties import style as style_properties
from .properties import takes as take_properties
from .properties import tweaks as tweak_properties
from .sound_timeline import timeline

CLASSES: tuple[type, ...] = (
    emotion_properties.LSF_PG_emotion,
    take_properties.LSF_PG_takes,
    layer_properties.LSF_PG_layers,
    layer_properties.LSF_PG_nod,
    batch_properties.LSF_PG_batch_line,
    batch_properties.LSF_PG_batch,
    sound_properties.LSF_PG_sound_view,
    settings.LSF_PG_settings,
    style_properties.LSF_PG_style,
    face_properties.LSF_PG_part,
    face_properties.LSF_PG_landmark,
    face_properties.LSF_PG_seam_point,
    face_properties.LSF_PG_mapping_row,
    bone_properties.LSF_PG_bone_pose,
    bone_properties.LSF_PG_bones,
    expression_properties.LSF_PG_expression,
    face_properties.LSF_PG_face,
    tweak_properties.LSF_PG_channel,
    tweak_properties.LSF_PG_tweaks,
    sound_properties.LSF_PG_sound,
    sound_properties.LSF_PG_word,
    line_properties.LSF_PG_line,
    line_properties.LSF_PG_action,
    preferences.LSF_preferences,
    generate.LSF_OT_generate,
    list_lines.LSF_OT_list_lines,
    generate_takes.LSF_OT_generate_takes,
    step_take.LSF_OT_step_take,
    read_direction.LSF_OT_read_direction,
    install_text_encoder.LSF_OT_install_text_encoder,
    install_transformers.LSF_OT_install_transformers,
    install_transcripts.LSF_OT_install_transcripts,
    keep_take.LSF_OT_keep_take,
    share_head.LSF_OT_share_head,
    generate_all.LSF_OT_generate_all,
    import_batch_results.LSF_OT_import_batch_results,
    import_batch_results.LSF_OT_pick_batch_results,
    export_manifest.LSF_OT_export_manifest,
    cancel.LSF_OT_cancel,
    edit_line.LSF_OT_edit_line,
    generate_line.LSF_OT_generate_line,
    follow_strip.LSF_OT_follow_strip,
    remove_line.LSF_OT_remove_line,
    remove_all_lines.LSF_OT_remove_all_lines,
    take_over_lines.LSF_OT_take_over_lines,
    add_expression.LSF_OT_add_expression,
    add_expression_from_action.LSF_OT_add_expression_from_action,
    add_expression_from_recording.LSF_OT_add_expression_from_recording,
    remove_expression.LSF_OT_remove_expression,
    save_expressions.LSF_OT_save_expressions,
    load_expressions.LSF_OT_load_expressions,
    copy_expressions.LSF_OT_copy_expressions,
    add_from_picture.LSF_OT_add_from_picture,
    add_from_picture.LSF_OT_read_picture,
    add_head.LSF_OT_add_head,
    add_speech.LSF_OT_add_speech,
    demo_line.LSF_OT_demo_line,
    draw_transitions.LSF_OT_draw_transitions,
    extend_scene.LSF_OT_extend_scene,
    add_parts.LSF_OT_add_parts,
    add_missing_keys.LSF_OT_add_missing_keys,
    add_nearby_parts.LSF_OT_add_nearby_parts,
    remove_part.LSF_OT_remove_part,
    set_part.LSF_OT_set_part,
    reset_tweaks.LSF_OT_reset_tweaks,
    release_keys.LSF_OT_release_keys,
    add_layer.LSF_OT_add_layer,
    key_lines.LSF_OT_key_lines,
    preview.LSF_OT_preview,
    playblast.LSF_OT_playblast,
    show_mouth_graph.LSF_OT_show_mouth_graph,
    listen.LSF_OT_listen,
    show_sounds.LSF_OT_show_sounds,
    pick_sound.LSF_OT_pick_sound,
    change_sound.LSF_OT_change_sound,
    change_sound.LSF_OT_add_sound,
    change_sound.LSF_OT_remove_sound,
    change_sound.LSF_OT_reset_sound,
    change_sound.LSF_OT_reset_all_sounds,
    import_live_link.LSF_OT_import_live_link,
    import_recording.LSF_OT_import_recording,
    export_curves.LSF_OT_export_curves,
    export_character.LSF_OT_export_character,
    check_character.LSF_OT_check_character,
    hide_check.LSF_OT_hide_check,
    unpin_key.LSF_OT_unpin_key,
    unmute_keys.LSF_OT_unmute_keys,
    widen_sliders.LSF_OT_widen_sliders,
    use_relative_keys.LSF_OT_use_relative_keys,
    override_mesh.LSF_OT_override_mesh,
    make_lines_local.LSF_OT_make_lines_local,
    make_style.LSF_OT_make_style_from_recording,
    make_style.LSF_OT_make_style_from_action,
    style_card_files.LSF_OT_load_style,
    style_card_files.LSF_OT_save_style,
    style_card_files.LSF_OT_remove_style,
    find_landmarks.LSF_OT_find_landmarks,
    edit_landmarks.LSF_OT_edit_landmarks,
    cut_mouth.LSF_OT_cut_mouth,
    reset_landmarks.LSF_OT_reset_landmarks,
    fill_mapping.LSF_OT_fill_mapping,
    add_mapping_row.LSF_OT_add_mapping_row,
    remove_mapping_row.LSF_OT_remove_mapping_row,
    load_mapping.LSF_OT_load_mapping,
    save_mapping.LSF_OT_save_mapping,
    recognise_bones.LSF_OT_recognise_bones,
    set_bones.LSF_OT_set_bones,
    show_bones.LSF_OT_show_bones,
    clear_bones.LSF_OT_clear_bones,
    remove_head_motion.LSF_OT_remove_head_motion,
    make_environment.LSF_OT_make_environment,
    allow_online_access.LSF_OT_allow_online_access,
    cancel_environment.LSF_OT_cancel_environment,
    self_test.LSF_OT_self_test,
    clear_cache.LSF_OT_clear_cache,
    open_log.LSF_OT_open_log,
    copy_report.LSF_OT_copy_report,
    main.LSF_PT_view3d,
    main.LSF_PT_sequencer,
    lines.LSF_UL_lines,
    lines.LSF_PT_view3d_lines,
    lines.LSF_PT_sequencer_lines,
    watch.LSF_PT_view3d_watch,
    watch.LSF_PT_sequencer_watch,
    take.LSF_PT_view3d_take,
    take.LSF_PT_sequencer_take,
    emotion.LSF_PT_view3d_emotion,
    emotion.LSF_PT_sequencer_emotion,
    expression_bank.LSF_UL_expressions,
    expression_bank.LSF_PT_view3d_expression_bank,
    expression_bank.LSF_PT_sequencer_expression_bank,
    style.LSF_UL_styles,
    style.LSF_PT_view3d_style,
    style.LSF_PT_sequencer_style,
    tweak.LSF_PT_view3d_tweak,
    tweak.LSF_PT_sequencer_tweak,
    channels.LSF_UL_channels,
    channels.LSF_PT_view3d_channels,
    channels.LSF_PT_sequencer_channels,
    sounds.LSF_UL_sounds,
    sounds.LSF_PT_view3d_sounds,
    sounds.LSF_PT_sequencer_sounds,
    keys.LSF_PT_view3d_keys,
    keys.LSF_PT_sequencer_keys,
    layers.LSF_PT_view3d_layers,
    layers.LSF_PT_sequencer_layers,
    face.LSF_PT_view3d_face,
    parts.LSF_UL_parts,
    parts.LSF_PT_view3d_parts,
    bones.LSF_UL_bones,
    own_keys.LSF_UL_mapping,
    own_keys.LSF_PT_view3d_own_keys,
    bones.LSF_PT_view3d_bones,
    batch.LSF_UL_batch,
    batch.LSF_PT_view3d_batch,
    batch.LSF_PT_sequencer_batch,
    exchange.LSF_PT_view3d_exchange,
    exchange.LSF_PT_sequencer_exchange,
)

PROPERTY = "lsf"  # name of the property that the add-on adds to these types; scene/own_properties.py reads it
PROPERTY_GROUPS: tuple[tuple[type, type[bpy.types.PropertyGroup]], ...] = (
    (bpy.types.Scene, settings.LSF_PG_settings),
    (bpy.types.Object, face_properties.LSF_PG_face),
    (bpy.types.Action, line_properties.LSF_PG_action),
)

DrawFunction = Callable[[Any, bpy.types.Context], None]
MENUS: tuple[tuple[Any, DrawFunction], ...] = (  # (menu of Blender, function that draws our entry)
    (bpy.types.VIEW3D_MT_mesh_add, add_head.draw_menu),
    (bpy.types.TOPBAR_MT_file_import, import_live_link.draw_menu),
    (bpy.types.TOPBAR_MT_file_export, export_curves.draw_menu),
)


def tooltip(cls: type[bpy.types.Operator]) -> str:
    """Return the docstring of an operator as one line without the last full stop: Blender wraps it and adds one."""
    return " ".join((cls.__doc__ or "").split()).removesuffix(".")


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]  # the stubs have no signature for it
def _on_load(*_arguments: object) -> None:
    """Drop what belongs to the file that is being closed: a handler of load_pre."""
    session.say("")
    session.drop("The generation was cancelled because another file was opened")
    playback.discard_settings()
    checkup.forget()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _on_undo(*_arguments: object) -> None:
    """Clear the panel's message, whose result may be gone now: a handler of undo_post and redo_post."""
    session.say("")


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _on_loaded(*_arguments: object) -> None:
    """Let a file of an earlier add-on look as it did: a handler of load_post, and a timer after `register`."""
    emotion_control.keep_old_transitions()
    expression_keys.learn()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _on_save(*_arguments: object) -> None:
    """Let the file say what earlier files leave open: a handler of save_pre."""
    emotion_control.state_transitions()


def _allow_overrides(group: type[bpy.types.PropertyGroup]) -> None:
    """Let the properties of a group be changed on library overrides; see animation/override_settings.py.

    Groups inside are no properties that Blender overrides: their own properties are.
    """
    for deferred in group.__annotations__.values():
        inner = deferred.keywords.get("type")
        is_collection = deferred.function is bpy.props.CollectionProperty
        is_group = inner is not None and issubclass(inner, bpy.types.PropertyGroup)
        if is_group:
            _allow_overrides(inner)
        if is_collection:
            deferred.keywords["override"] = {"LIBRARY_OVERRIDABLE", "USE_INSERTION"}
        elif not is_group:
            deferred.keywords["override"] = {"LIBRARY_OVERRIDABLE"}


_commands: list[object] = []  # of the command line


def register() -> None:
    """Register everything. Called when the add-on is enabled."""
    _allow_overrides(face_properties.LSF_PG_face)
    for cls in CLASSES:
        if issubclass(cls, bpy.types.Operator):
            cls.bl_description = tooltip(cls)
        bpy.utils.register_class(cls)
    translations.register()
    for owner, group in PROPERTY_GROUPS:
        setattr(owner, PROPERTY, bpy.props.PointerProperty(type=group))
    for menu, draw in MENUS:
        menu.append(draw)
    bpy.app.handlers.load_pre.append(_on_load)
    bpy.app.handlers.load_post.append(_on_loaded)
    bpy.app.handlers.save_pre.append(_on_save)
    # The file that is open now may be one of an earlier add-on, too. Its data cannot be read before this returns.
    bpy.app.timers.register(_on_loaded)
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.append(_on_undo)
    action_cache.register()
    pick_sound.register()
    override_settings.register()
    empty_keys.register()
    _commands.append(scene_files.register())


def unregister() -> None:
    """Unregister everything and stop all processes. Called when the add-on is disabled."""
    session.stop()
    environment.stop()
    emotion_icons.free()
    playback.restore_settings()
    mouth_graph.hide()
    timeline.hide()
    pick_sound.unregister()
    for watch_timer in (make_environment.watch, self_test.watch, clear_cache.watch):
        if bpy.app.timers.is_registered(watch_timer):
            bpy.app.timers.unregister(watch_timer)
    engine_test.forget()
    face_cache.forget()
    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
    empty_keys.unregister()
    override_settings.unregister()
    action_cache.unregister()
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.remove(_on_undo)
    bpy.app.handlers.load_pre.remove(_on_load)
    bpy.app.handlers.load_post.remove(_on_loaded)
    bpy.app.handlers.save_pre.remove(_on_save)
    if bpy.app.timers.is_registered(_on_loaded):
        bpy.app.timers.unregister(_on_loaded)
    for menu, draw in MENUS:
        menu.remove(draw)
    for owner, _group in reversed(PROPERTY_GROUPS):
        delattr(owner, PROPERTY)
    translations.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
