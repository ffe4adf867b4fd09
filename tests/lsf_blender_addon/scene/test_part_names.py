"""Names of parts, as makers and languages spell them."""

import pytest

from lsf_blender_addon.scene.part_names import kind_of

NAMES = {
    "EYE": (
        "EyeLeft EyeRight eye_L Eye.R LeftEye right_eye eyes Eyes.001 EyeL eyel L_Eye leftEye Left-eye eyeball "
        "eyeballs EyeBall_L CC_Base_Eye Wolf3D_Eyes Std_Eye_L Std_Cornea_R Genesis8_1Eyes eyeLeft_lod0_mesh BrownEyes "
        "Eye_Mesh iris Iris_L pupil.R Auge Auge.L linkes_Auge Augen Œil yeux ojo_izquierdo Occhio occhi olho 目 左目 "
        "眼球 瞳 目玉 눈 глаз_L sclera EYE EYES_MESH eyes_high"
    ),
    "TEETH": (
        "teeth Teeth.001 Wolf3D_Teeth CC_Base_Teeth tooth gums denture Zähne Gebiß Gebiss dents dientes denti dentes "
        "歯 치아 зубы"
    ),
    "UPPER_TEETH": (
        "UpperTeeth teeth_upper Teeth.Upper Std_Upper_Teeth topTeeth upperteeth obere_Zähne 上の歯 上歯 TEETH_UPPER"
    ),
    "LOWER_TEETH": "LowerTeeth teeth_lower lower_teeth Std_Lower_Teeth bottom_teeth untere_Zähne 下歯 teethLower",
    "TONGUE": "tongue Tongue_Mesh CC_Base_Tongue Std_Tongue Zunge langue lengua língua 舌 혀 язык",
    "LASHES": (
        "lashes Eyelashes eyelash_L Std_Eyelash Upper_Eye_Lash EyeBrows eyebrow.L brows brow_R Eyelash_Mesh EyeAO_Mesh "
        "CC_Base_EyeOcclusion CC_Base_TearLine eyeshell_lod0 eyeEdge_lod0 eyeliner Wimpern Augenbraue Augenbrauen cils "
        "sourcils pestañas cejas ciglia cílios まつげ 眉毛 睫毛 속눈썹 ресницы beard Moustache"
    ),
    "": (
        "head Head.001 Body CC_Base_Body Wolf3D_Head Wolf3D_Glasses glasses EyeGlasses sunglasses eyepatch eyelid "
        "EyeLids eye_socket Iris_Body IrisHair Flash splash brown Brown_Hair Eyeless_Mask Auge_Brille мозг Cube Hair "
        "Lid 眼鏡 まぶた Sphere dentist key Grey keyed tie_ Hirschauge3000Bag"
    ),
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for kind, names in NAMES.items() for name in names.split()])
def test_what_a_name_tells(name, kind):
    assert kind_of(name) == kind


def test_several_words():
    assert kind_of("my character left eye") == "EYE" and kind_of("Body of Iris") == "" and kind_of("") == ""
